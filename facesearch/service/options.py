"""How the service runs, and what it refuses to take."""

from __future__ import annotations

import ipaddress
import os
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from facesearch.engine_options import DEFAULT_ENGINE, EngineOptions
from facesearch.images.decode import DecodeLimits

if TYPE_CHECKING:
    from facesearch.encoders.types import EncoderContract
    from facesearch.engine import FaceEngine

LOOPBACK = "127.0.0.1"
DEFAULT_PORT = 8484
_MIB = 1 << 20

# Of photos that are sent: what a phone or a camera makes, and no more.
UPLOAD_LIMITS = DecodeLimits(pixels=100_000_000, file_bytes=64 * _MIB, memory_bytes=3 * 1024 * _MIB)
# Of photos that lie in the gallery's folders: the limits that indexing has.
PHOTO_LIMITS = DecodeLimits()


def default_state_folder() -> Path:
    """Where accounts, jobs and the choices of the page are kept: the user's folder for state."""
    base = os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state"
    return Path(base) / "facesearch"


def is_loopback(host: str) -> bool:
    """Whether an address is of this machine alone."""
    try:
        address = ipaddress.ip_address(host.strip("[]"))
    except ValueError:
        return host == "localhost"
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return (mapped or address).is_loopback


@dataclass(frozen=True)
class ServiceOptions:
    """``galleries`` are folders; ``state`` is a folder for what is no gallery's. Galleries can be
    added in ``galleries_folder``, and nowhere where that is None.

    ``root_path`` is what a reverse proxy puts before all paths, ``proxies`` the addresses whose
    forwarded headers are believed, ``hosts`` names besides this machine's by which the service may
    be called ("*": any). ``engine_threads`` photos are looked at at once, ``decoders`` processes
    decode. ``upload_bytes`` bounds a whole request, ``upload_photos`` the photos in it.
    ``body_seconds`` is how long a client may take between two pieces of a request,
    ``header_seconds`` for its headers, ``keep_alive_seconds`` until its next request;
    ``body_rate`` bytes a second are the least in the long run.
    """

    galleries: tuple[Path, ...]
    state: Path = field(default_factory=default_state_folder)
    galleries_folder: Path | None = None
    host: str = LOOPBACK
    port: int = DEFAULT_PORT
    root_path: str = ""
    proxies: str = LOOPBACK
    hosts: tuple[str, ...] = ()
    certificate: Path | None = None
    key: Path | None = None
    engine: EngineOptions = DEFAULT_ENGINE
    engine_threads: int = 2
    decoders: int = 2
    upload_bytes: int = 256 * _MIB
    upload_photos: int = 32
    upload_limits: DecodeLimits = UPLOAD_LIMITS
    photo_limits: DecodeLimits = PHOTO_LIMITS
    picture_bytes: int = 1024 * _MIB
    header_seconds: float = 10.0
    keep_alive_seconds: float = 5.0
    body_seconds: float = 20.0
    body_rate: float = 4096.0
    connections: int = 512
    session_hours: float = 24 * 14
    poll_seconds: float = 1.0

    @property
    def secure(self) -> bool:
        """Whether this process itself speaks https."""
        return self.certificate is not None


# Makes the engine of a contract, or that of new galleries.
EngineMaker = Callable[["EncoderContract | None"], "FaceEngine"]


def engine_maker(options: ServiceOptions) -> EngineMaker:
    """Makes engines as ``options`` ask."""

    def make(contract: EncoderContract | None) -> FaceEngine:
        return options.engine.create(contract, callers=max(1, options.engine_threads))

    return make
