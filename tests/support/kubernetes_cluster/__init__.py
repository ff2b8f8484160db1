"""A stand-in for a Kubernetes cluster: an API server, and pods that run as processes of this machine."""

from __future__ import annotations
