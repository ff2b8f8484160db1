"""The kinds of monitoring messages."""

from __future__ import annotations

from parsl.vocabulary.message_type import MessageType as MessageType
