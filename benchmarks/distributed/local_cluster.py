"""A Ray cluster of this process, with as many cores as workers are to work at once."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from facesearch.distributed.ray_runtime import import_ray


@contextmanager
def local_cluster(cores: int, store_bytes: int = 2**29) -> Iterator[tuple[Any, str]]:
    """The ray module and the address of the cluster, for other processes too."""
    ray = import_ray()
    ray.init(
        address="local",
        num_cpus=cores,
        include_dashboard=False,
        object_store_memory=store_bytes,
        logging_level=logging.WARNING,
    )
    try:
        yield ray, str(ray.get_runtime_context().gcs_address)
    finally:
        ray.shutdown()
