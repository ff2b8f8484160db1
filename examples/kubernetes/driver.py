"""Estimate pi in pods: the driver of this example, which runs in a pod itself or next to a kubeconfig."""

from __future__ import annotations

import os

import parsl
from parsl import Config, HighThroughputExecutor, python_app
from parsl.providers import KubernetesProvider

TASKS = 40
POINTS = 100_000


@python_app
def points_in_circle(seed, count):
    import random

    numbers = random.Random(seed)
    return sum(numbers.random() ** 2 + numbers.random() ** 2 <= 1 for _ in range(count))


def make_config() -> Config:
    provider = KubernetesProvider(
        os.environ["PARSL_IMAGE"],
        namespace=os.environ.get("PARSL_NAMESPACE", "default"),
        init_blocks=1,
        max_blocks=4,
        init_cpu=1,
        max_cpu=2,
        init_mem="512Mi",
        max_mem="1Gi",
        walltime="00:30:00",
    )
    port = os.environ.get("PARSL_PORT")
    executor = HighThroughputExecutor(
        label="pods",
        provider=provider,
        max_workers_per_node=2,
        address=os.environ.get("PARSL_ADDRESS"),  # only with a Service, see service.yaml
        worker_port=None if port is None else int(port),
    )
    return Config(executors=[executor], retries=2)


if __name__ == "__main__":
    with parsl.load(make_config()):
        futures = [points_in_circle(seed, POINTS) for seed in range(TASKS)]
        inside = sum(future.result() for future in futures)
    print(f"pi is about {4 * inside / (TASKS * POINTS):.4f}")
