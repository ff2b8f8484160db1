"""The configuration of a TaskVine manager."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass
class TaskVineManagerConfig:
    """How TaskVine's manager works.

    Args:
        port: The port for workers; 0 for one that the library chooses.
        address: Where workers reach this machine; None for its host name.
        project_name: The name by which workers find the manager in the catalog; None for none.
        project_password_file: The file with the password that workers must know; None for none.
        env_vars: Environment variables of tasks.
        init_command: Shell text in front of each task. The ``python3`` found after it runs the task, in the
            place of the shell unless the text has a ``trap``.
        env_pack: An environment to send to workers: a ``tar.gz`` of conda-pack, or the directory or name of
            a conda environment, which is packed.
        app_pack: Whether to send the active conda environment instead.
        extra_pkgs: Further packages for ``app_pack``; they must be installed in that environment.
        max_retries: How often TaskVine may start a task whose workers are lost; None for any number. With 1,
            the task fails with its first lost worker, and Parsl retries it.
        library_config: The resources of serverless functions.
        shared_fs: Whether workers see the driver's files under the same paths, so that none are transferred.
        autolabel: Whether TaskVine measures tasks, and chooses their resources by what it has seen.
        autolabel_algorithm: How: ``max-xput``, ``bucketing`` or ``max``.
        autolabel_window: How many similar tasks come before such a choice; None for the library's default.
        autocategory: Whether each app is a category of its own for such choices.
        enable_peer_transfers: Whether workers transfer files among themselves.
        wait_for_workers: How many workers must be connected before tasks start; None for any number.
        tune_parameters: Further parameters of the library, by name.
        vine_log_dir: The directory of the library's logs; None for one in the run directory.
    """

    port: int = 0
    address: str | None = None
    project_name: str | None = None
    project_password_file: str | None = None
    env_vars: dict[str, str] | None = None
    init_command: str = ""
    env_pack: str | None = None
    app_pack: bool = False
    extra_pkgs: list[str] | None = None
    max_retries: int | None = 1
    library_config: dict[str, Any] | None = None
    shared_fs: bool = False
    autolabel: bool = False
    autolabel_algorithm: str = "max-xput"
    autolabel_window: int | None = None
    autocategory: bool = True
    enable_peer_transfers: bool = True
    wait_for_workers: int | None = None
    tune_parameters: dict[str, Any] | None = None
    vine_log_dir: str | None = None
