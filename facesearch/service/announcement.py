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


@contextmanager
def announced(service: FaceService, host: str, port: int) -> Iterator[None]:
    """Write the file of each gallery, and in the end remove those that are still ours."""
    reached = _LOOPBACK if host in ("0.0.0.0", "::") else host
    written = []
    for served in service.galleries:
        address = ServiceAddress(
            reached,
            port,
            service.options.root_path,
            service.options.secure,
            served.id,
            service.local_token,
            os.getpid(),
            __version__,
        )
        document = {"format": FORMAT, "version": VERSION, **asdict(address)}
        path = served.folder / FILE
        try:
            write_atomically(path, json.dumps(document, indent=1).encode())
            written.append(path)
        except OSError as error:
            logger.warning("commands will not find the service of %s: %s", served.folder, error)
    try:
        yield
    finally:
        for path in written:
            address_now = read_address(path.parent)
            if address_now is not None and address_now.token == service.local_token:
                with suppress(OSError):
                    path.unlink()


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
