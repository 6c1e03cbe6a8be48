"""A real Ray cluster on this machine, started with patience; tests are skipped without one."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[3]
START_SECONDS = 180.0  # in which a cluster has to be there, all attempts together
# Ray's processes and workers give one another little time by default: on a busy machine, a worker
# that still imports is thought lost, and so is a node that answers late.
PATIENT = {
    "RAY_gcs_server_request_timeout_seconds": "120",
    "RAY_raylet_start_wait_time_s": "180",
    "RAY_agent_register_timeout_ms": "300000",
    "RAY_worker_register_timeout_seconds": "300",
    "RAY_health_check_initial_delay_ms": "60000",
    "RAY_health_check_timeout_ms": "60000",
    "RAY_health_check_failure_threshold": "20",
    "RAY_num_prestart_python_workers": "0",
    "RAY_enable_worker_prestart": "0",
    "RAY_ENABLE_UV_RUN_RUNTIME_ENV": "0",
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_TMPDIR": "/tmp",  # what a session leaves stays, so not in memory
}


# For a cluster that must notice soon that a machine is gone.
ATTENTIVE = {
    "RAY_health_check_initial_delay_ms": "2000",
    "RAY_health_check_period_ms": "1000",
    "RAY_health_check_timeout_ms": "3000",
    "RAY_health_check_failure_threshold": "3",
}


@contextmanager
def two_machines() -> Iterator[tuple[str, Callable[[], None]]]:
    """The address of a cluster of two nodes of a core each, and what kills one of them.

    This process is not connected to it. Skips the test where Ray is not installed, or starts none.
    """
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", os.pathsep.join([str(ROOT), str(ROOT / "tests")]))
        for name, value in (PATIENT | ATTENTIVE).items():
            patch.setenv(name, value)
        clusters = pytest.importorskip("ray.cluster_utils", reason="needs Ray")
        node = {"num_cpus": 1, "object_store_memory": 100 * 2**20}
        cluster = None
        try:
            try:
                cluster = clusters.Cluster(initialize_head=True, head_node_args=node)
                second = cluster.add_node(**node)
            except Exception as error:
                if not is_late(error):
                    raise
                pytest.skip(f"no Ray cluster of two nodes started on this machine: {error}")
            yield cluster.address, lambda: cluster.remove_node(second, allow_graceful=False)
        finally:
            if cluster is not None:
                cluster.shutdown()


@contextmanager
def running_cluster() -> Iterator[Any]:
    """The ray module, connected to a cluster of two cores, whose workers import our modules.

    Skips the test where Ray is not installed, or starts no cluster in time.
    """
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", os.pathsep.join([str(ROOT), str(ROOT / "tests")]))
        for name, value in PATIENT.items():
            patch.setenv(name, value)
        # After the settings, some of which it reads when it is loaded.
        ray = pytest.importorskip("ray", reason="needs Ray: pip install 'facesearch[ray]'")
        _start(ray)
        try:
            yield ray
        finally:
            ray.shutdown()


def _start(ray: Any) -> None:
    """Start a cluster, several times if need be: no setting makes Ray wait over 30 s for a node."""
    end = time.monotonic() + START_SECONDS
    while True:
        try:
            ray.init(
                address="local",
                num_cpus=2,
                include_dashboard=False,
                object_store_memory=100 * 2**20,
                log_to_driver=False,
            )
            return
        except Exception as error:  # Ray raises bare ones
            ray.shutdown()
            if not is_late(error):
                raise
            if time.monotonic() > end:
                pytest.skip(
                    f"no Ray cluster started within {START_SECONDS:.0f} s on this machine, which "
                    f"is too busy or too slow: {error}"
                )


def is_late(error: Exception) -> bool:
    """Whether a start of Ray failed because a process of its was not there in time."""
    text = str(error).lower()
    return any(each in text for each in ("timed out", "may not have started", "connect to gcs"))
