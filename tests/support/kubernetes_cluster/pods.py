"""The nodes of the stand-in: they run the pods, and report what becomes of them, as kubelets do."""

from __future__ import annotations

import base64
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.support.clouds.processes import Ended, ProcessHost
from tests.support.kubernetes_cluster.objects import Json, Objects, Refusal


class Nodes:
    """Runs pods. Any thread may call the methods; those that change objects hold the store's lock.

    Args:
        directory: A directory for the pods.
        objects: The store.
        on_change: Called with a pod that has changed.
    """

    def __init__(self, directory: Path, objects: Objects, on_change: Callable[[Json], None]) -> None:
        self.host = ProcessHost(directory / "pods", self._ended)
        #: Images that can be pulled; None for all.
        self.images: set[str] | None = None
        #: The labels of the nodes.
        self.labels: dict[str, str] = {}
        self._directory = directory
        self._objects = objects
        self._on_change = on_change

    def run(self, pod: Json) -> None:
        """Schedule and start a pod that has just been created, unless something is missing."""
        with self._objects.lock:
            pod["status"] = {"phase": "Pending"}
            if not self._is_schedulable(pod):
                return
            image = pod["spec"]["containers"][0]["image"]
            if self.images is not None and image not in self.images:
                message = f'failed to pull and unpack image "docker.io/library/{image}": not found'
                _wait(pod, "ErrImagePull", message)
                return
            _wait(pod, "ContainerCreating", "")
            self.mount(pod)

    def mount(self, pod: Json) -> None:
        """Start a pod if the Secrets that it mounts are there."""
        namespace = pod["metadata"]["namespace"]
        mounts = {mount["name"]: mount for mount in pod["spec"]["containers"][0]["volumeMounts"]}
        folders = {}
        with self._objects.lock:
            for volume in pod["spec"]["volumes"]:
                if "secret" not in volume:
                    continue
                try:
                    secret = self._objects.get("secrets", namespace, volume["secret"]["secretName"])
                except Refusal:
                    return  # the kubelet tries again when the Secret is there
                path = mounts[volume["name"]]["mountPath"]
                folders[path] = self._write(pod["metadata"]["name"], volume["name"], secret)
            self._start(pod, folders)

    def kill(self, pod: Json) -> None:
        """End the processes of a pod; wait for that."""
        self.host.kill(pod["metadata"]["name"])

    def log(self, name: str) -> str:
        return self.host.console(name)

    def _is_schedulable(self, pod: Json) -> bool:
        selector = pod["spec"].get("nodeSelector", {})
        is_ok = all(self.labels.get(name) == value for name, value in selector.items())
        condition = {"type": "PodScheduled", "status": str(is_ok)}
        if not is_ok:
            text = "0/1 nodes are available: 1 node(s) didn't match Pod's node affinity/selector."
            condition |= {"reason": "Unschedulable", "message": text}
        pod["status"]["conditions"] = [condition]
        return is_ok

    def _write(self, pod: str, volume: str, secret: Json) -> str:
        folder = self._directory / "volumes" / pod / volume
        folder.mkdir(parents=True)
        for key, data in secret["data"].items():
            (folder / key).write_bytes(base64.b64decode(data))
        return str(folder)

    def _start(self, pod: Json, folders: dict[str, str]) -> None:
        container = pod["spec"]["containers"][0]
        command = [_moved(word, folders) for word in container["command"]]
        environment = {item["name"]: item["value"] for item in container.get("env", ()) if "value" in item}
        index = pod["metadata"].get("annotations", {}).get("batch.kubernetes.io/job-completion-index")
        if index is not None:
            environment["JOB_COMPLETION_INDEX"] = index
        pod["status"] |= {
            "phase": "Running",
            "containerStatuses": [{"name": container["name"], "state": {"running": {}}}],
        }
        self.host.start_pod(pod["metadata"]["name"], command, environment)

    def _ended(self, ended: Ended) -> None:
        """Report the end of a pod; of one that was killed as well, as long as its object is there."""
        with self._objects.lock:
            for pod in self._objects.find("pods"):
                if pod["metadata"]["name"] != ended.name or pod["status"]["phase"] != "Running":
                    continue
                code = 137 if ended.exit_code is None else ended.exit_code
                terminated = {"exitCode": code if code >= 0 else 128 - code, "reason": "Error"}
                if code == 0:
                    terminated["reason"] = "Completed"
                statuses = [{"name": "parsl", "state": {"terminated": terminated}}]
                pod["status"] |= {"phase": "Failed" if code else "Succeeded", "containerStatuses": statuses}
                # In a thread: it may wait for this one to end.
                threading.Thread(target=self._on_change, args=(pod,), daemon=True).start()


def _wait(pod: Json, reason: str, message: str) -> None:
    waiting: dict[str, Any] = {"reason": reason} | ({"message": message} if message else {})
    pod["status"]["containerStatuses"] = [{"name": "parsl", "state": {"waiting": waiting}}]


def _moved(word: str, folders: dict[str, str]) -> str:
    for path, folder in folders.items():
        word = word.replace(path, folder)
    return word
