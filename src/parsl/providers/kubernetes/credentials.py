"""Credentials: how the API server of a cluster is reached, from a kubeconfig or from inside the cluster."""

from __future__ import annotations

import os
from typing import Any

from parsl.errors import ConfigurationError, OptionalModuleMissing

#: How to install the client library.
INSTALL = "KubernetesProvider needs it: pip install 'parsl[kubernetes]'."
_SERVICE_ACCOUNT = "/var/run/secrets/kubernetes.io/serviceaccount"


def make_client(kubeconfig: str | None, context: str | None) -> Any:
    """Return a client of the API server.

    Args:
        kubeconfig: The file to use. None for the files of ``kubectl`` (KUBECONFIG, ``~/.kube/config``) or,
            where there are none, the service account of the pod that this process runs in.
        context: The context of the file; None for its current one.

    Raises:
        ConfigurationError: There are no credentials, or they cannot be used.
        OptionalModuleMissing: The client library is not installed.
    """
    try:
        from kubernetes import client, config
    except ImportError as error:
        raise OptionalModuleMissing(["kubernetes"], f"{INSTALL} The import failed: {error}.") from error
    configuration = client.Configuration()
    try:
        if kubeconfig is not None or context is not None or _has_kubeconfig():
            files = kubeconfig or _kubeconfig()
            config.load_kube_config(files, context, client_configuration=configuration)
        elif is_inside():
            config.load_incluster_config(client_configuration=configuration)
        else:
            raise ConfigurationError(_nothing_found())
    except ConfigurationError:
        raise
    except Exception as error:  # the library does not check what a file contains, so any error may come
        reason = " ".join(f"{type(error).__name__}: {error}".split())
        raise ConfigurationError(
            f"KubernetesProvider: the credentials of {_source(kubeconfig)} cannot be used: {reason}. "
            "`kubectl config get-contexts` lists the contexts that there are."
        ) from error
    configuration.retries = False  # each attempt is counted, and logged, by parsl.providers.api
    return client.ApiClient(configuration)


def absolute_files(kubeconfig: str | None) -> str | None:
    """Return the kubeconfig files for a process in another directory; None if the pod has the credentials.

    Args:
        kubeconfig: The file of the user, or several; None for those of ``kubectl``.
    """
    if kubeconfig is None and not _has_kubeconfig():
        return None
    paths = (kubeconfig or _kubeconfig()).split(os.pathsep)
    return os.pathsep.join(os.path.abspath(os.path.expanduser(path)) for path in paths if path)


def is_inside() -> bool:
    """Return whether this process runs in a pod that has a service account."""
    return "KUBERNETES_SERVICE_HOST" in os.environ and os.path.exists(f"{_SERVICE_ACCOUNT}/token")


def own_namespace() -> str | None:
    """Return the namespace of the pod that this process runs in; None outside of a cluster."""
    try:
        with open(f"{_SERVICE_ACCOUNT}/namespace") as file:
            return file.read().strip()
    except OSError:
        return None


def _kubeconfig() -> str:
    # The library reads the variable only when it is imported.
    return os.environ.get("KUBECONFIG") or "~/.kube/config"


def _has_kubeconfig() -> bool:
    paths = _kubeconfig().split(os.pathsep)
    return any(os.path.exists(os.path.expanduser(path)) for path in paths)


def _source(kubeconfig: str | None) -> str:
    return kubeconfig or (_kubeconfig() if _has_kubeconfig() else "the pod")


def _nothing_found() -> str:
    return (
        "KubernetesProvider: there are no credentials. Outside of a cluster they are in ~/.kube/config or in "
        "the file that KUBECONFIG or kubeconfig=... names; inside, a pod has those of its service account, "
        "unless automountServiceAccountToken is false."
    )
