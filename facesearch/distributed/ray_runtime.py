"""Ray, loaded when it is asked for, and a connection to a cluster or to one started here."""

from __future__ import annotations

import logging
import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from facesearch.argument_checks import instance, number, whole_number
from facesearch.errors import FacesearchError, InputError
from indexer.runtime.cores import available_cores

LOCAL = "local"
# Of a cluster started here. Blocks of photos are names, and searches and graphs bring theirs along.
_LOCAL_STORE_BYTES = 512 * 2**20
# Warns that a cluster started here asks for a token, which it makes itself: nothing is to be done.
_TOKENS = "ray._private.authentication.authentication_token_setup"


class ClusterError(FacesearchError, RuntimeError):
    """A cluster that cannot be reached, or that lost what it must have."""


@dataclass(frozen=True)
class RayOptions:
    """Where jobs run: the ``address`` of a Ray cluster, as ``ray.init`` takes it.

    "local" starts one on this machine for the job, "auto" finds one that runs here. At most
    ``workers`` work at once, each on as many cores as it has threads, and on ``gpus`` GPUs; None is
    as many as the cluster has cores for. More than it has room for make a cluster that scales
    itself add machines.
    """

    address: str = LOCAL
    workers: int | None = None
    gpus: float = 0

    def check(self) -> None:
        """Raise InputError for options out of range."""
        instance(self.address, str, "the address of a Ray cluster as text")
        if not self.address:
            raise InputError("expected the address of a Ray cluster, or 'local', got nothing")
        if self.workers is not None:
            whole_number(self.workers, "workers", 1)
        number(self.gpus, "GPUs of each worker", 0, math.inf)


def import_ray() -> Any:
    """The ray module; InputError that names the extra where it is not installed."""
    try:
        import ray  # noqa: PLC0415 - of an extra, and takes a second
    except ImportError as error:
        raise InputError(
            f"a cluster needs Ray, which cannot be loaded ({error}); install it: "
            "pip install 'facesearch[ray]'"
        ) from error
    return ray


@contextmanager
def ray_cluster(options: RayOptions) -> Iterator[Any]:
    """The ray module, connected while the context lasts; a connection there was stays.

    Raises InputError for options out of range, ClusterError where the cluster cannot be reached.
    """
    options.check()
    ray = import_ray()
    if ray.is_initialized():
        yield ray
        return
    settings: dict[str, Any] = {"address": options.address, "logging_level": logging.WARNING}
    tokens = logging.getLogger(_TOKENS)
    level = tokens.level
    if options.address == LOCAL:
        tokens.setLevel(logging.ERROR)
        settings |= {
            "num_cpus": available_cores(),
            "include_dashboard": False,
            "object_store_memory": _LOCAL_STORE_BYTES,
        }
    try:
        ray.init(**settings)
    except Exception as error:  # Ray raises bare ones too, as where a node does not start in time
        raise ClusterError(
            f"cannot connect to the Ray cluster {options.address!r}: {error}; check the address "
            "with: ray status --address ADDRESS"
        ) from error
    finally:
        tokens.setLevel(level)
    try:
        yield ray
    finally:
        ray.shutdown()


def cluster_cores(ray: Any) -> int:
    """Cores of all machines that are in the cluster now."""
    return int(ray.cluster_resources().get("CPU", 0))
