"""How commands find the service of a gallery: by a file in its folder, for its owner alone."""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from facesearch import __version__
from indexer.storage.atomic_files import write_atomically
from indexer.storage.plain_files import read_json

if TYPE_CHECKING:
    from facesearch.service.face_service import FaceService
    from facesearch.service.views.served_gallery import ServedGallery

logger = logging.getLogger(__name__)

FILE = "service.json"
FORMAT = "facesearch-service"
VERSION = 1
_LOOPBACK = "127.0.0.1"


@dataclass(frozen=True)
class ServiceAddress:
    """Where a service answers for a gallery, called ``gallery`` there, to who shows ``token``."""

    host: str
    port: int
    root_path: str
    secure: bool
    gallery: str
    token: str
    pid: int
    program: str

    @property
    def url(self) -> str:
        """Where its page is."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"http{'s' if self.secure else ''}://{host}:{self.port}{self.root_path}"


class ServiceAnnouncement:
    """The files that say where a service answers, one in the folder of each gallery."""

    def __init__(self, service: FaceService, host: str, port: int) -> None:
        self._service = service
        self._host = _LOOPBACK if host in ("0.0.0.0", "::") else host
        self._port = port
        self._folders: list[Path] = []

    def add(self, served: ServedGallery) -> None:
        """Write that of a gallery."""
        options = self._service.options
        address = ServiceAddress(
            self._host,
            self._port,
            options.root_path,
            options.secure,
            served.id,
            self._service.local_token,
            os.getpid(),
            __version__,
        )
        document = {"format": FORMAT, "version": VERSION, **asdict(address)}
        try:
            write_atomically(served.folder / FILE, json.dumps(document, indent=1).encode())
            self._folders.append(served.folder)
        except OSError as error:
            logger.warning("commands will not find the service of %s: %s", served.folder, error)

    def remove(self, served: ServedGallery) -> None:
        """Remove that of a gallery."""
        if served.folder in self._folders:
            self._folders.remove(served.folder)
            self._unlink(served.folder)

    def close(self) -> None:
        """Remove all of them."""
        for folder in self._folders:
            self._unlink(folder)

    def _unlink(self, folder: Path) -> None:
        """Remove the file of a gallery, unless it is another service's by now."""
        address = read_address(folder)
        if address is not None and address.token == self._service.local_token:
            with suppress(OSError):
                (folder / FILE).unlink()


@contextmanager
def announced(service: FaceService, host: str, port: int) -> Iterator[None]:
    """Let commands find ``service`` while it listens, also for galleries that are added."""
    announcement = ServiceAnnouncement(service, host, port)
    for served in service.galleries:
        announcement.add(served)
    service.announcement = announcement
    try:
        yield
    finally:
        service.announcement = None
        announcement.close()


def read_address(gallery: Path) -> ServiceAddress | None:
    """Where the service of a gallery says that it answers; None where there is none to be trusted.

    The file must be this user's and nobody else's to read, and lead to this machine: a gallery that
    came from somebody else must not make commands send photos anywhere.
    """
    try:
        found = (gallery / FILE).lstat()
        if found.st_uid != os.getuid() or found.st_mode & 0o077:
            return None
        return _parsed(read_json(gallery / FILE))
    except (OSError, ValueError, TypeError):
        return None


def _parsed(said: Any) -> ServiceAddress | None:
    """What the file says; raises TypeError where it says something else."""
    if not isinstance(said, dict) or said.pop("format", None) != FORMAT:
        return None
    if said.pop("version", None) != VERSION:
        return None
    address = ServiceAddress(**said)
    kinds = {"host": str, "port": int, "root_path": str, "secure": bool, "gallery": str}
    if not all(isinstance(getattr(address, name), kind) for name, kind in kinds.items()):
        return None
    here = address.host in (_LOOPBACK, "::1", "localhost")
    return address if here and address.program == __version__ else None
