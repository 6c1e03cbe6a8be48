"""Which galleries are served: those named at the start, and those that were added since."""

from __future__ import annotations

import logging
import re
import threading
import time
import unicodedata
from collections.abc import Callable
from pathlib import Path

from facesearch.encoders.types import EncoderContract
from facesearch.errors import FacesearchError, InputError
from facesearch.gallery.gallery import DESCRIPTION, Gallery
from facesearch.service.database import ServiceDatabase
from facesearch.service.views.served_gallery import ServedGallery
from facesearch.text import composed

logger = logging.getLogger(__name__)

ENDING = ".gallery"
_MOST_LETTERS = 80
_MOST_BYTES = 200  # of the name in a file system


class GalleryRegistry:
    """The galleries of a service by their ids; several threads may change them.

    Those that are added lie in the folder ``allowed``, and are served again when the service is
    started again; where that is None, none can be added.
    """

    def __init__(
        self,
        database: ServiceDatabase,
        allowed: Path | None,
        serve: Callable[[str, Path], ServedGallery],
    ) -> None:
        """``serve`` serves the gallery of a folder under an id.

        Raises InputError where ``allowed`` is no folder.
        """
        if allowed is not None and not allowed.is_dir():
            raise InputError(f"expected a folder for new galleries, got {allowed}; make it first")
        self._database = database
        self._allowed = allowed
        self._serve = serve
        self._served: dict[str, ServedGallery] = {}
        self._added: dict[str, str] = {}  # the folders of those that were added, by id
        self._changing = threading.Lock()

    @property
    def can_add(self) -> bool:
        """Whether galleries can be added."""
        return self._allowed is not None

    @property
    def allowed(self) -> Path | None:
        """Where galleries can be added."""
        return self._allowed

    def all(self) -> list[ServedGallery]:
        """In the order in which they were named, then added."""
        return list(self._served.values())

    def find(self, gallery_id: str) -> ServedGallery | None:
        """The gallery of an address."""
        return self._served.get(gallery_id)

    def add_named(self, folder: Path) -> None:
        """Serve a gallery that was named at the start.

        Raises GalleryError for a folder that is none, InputError for one that is served already.
        """
        with self._changing:
            self._enter(folder, self._free_id(folder.resolve().name))

    def add_kept(self) -> None:
        """Serve what was added before the service was started."""
        with self._database.transaction() as connection:
            rows = connection.execute("SELECT folder, id FROM gallery ORDER BY added_at").fetchall()
        for name, gallery_id in rows:
            if self._allowed is None:
                logger.warning("%s is not served without --galleries-folder", name)
                continue
            try:
                with self._changing:
                    served = self._enter(self._allowed / name, self._free_id(gallery_id))
                    self._added[served.id] = name
            except (FacesearchError, OSError) as error:
                logger.warning("%s is not served: %s", name, error)

    def create(self, name: str, by: str, contract: Callable[[], EncoderContract]) -> ServedGallery:
        """Make the gallery ``name``, with vectors of ``contract``, and serve it.

        One that is there by that name, and is not served, is served again as it is. Raises
        InputError for what is no name, and where none may be added or something else is there.
        """
        with self._changing:
            folder = self._place(name)
            if not (folder / DESCRIPTION).exists():
                Gallery.create(folder, contract())
            served = self._enter(folder, self._free_id(folder.name))
            with self._database.transaction() as connection:
                connection.execute(
                    "INSERT OR REPLACE INTO gallery VALUES (?, ?, ?, ?)",
                    (folder.name, served.id, by, time.time()),
                )
            self._added[served.id] = folder.name
            return served

    def remove(self, gallery_id: str) -> ServedGallery:
        """Serve a gallery no longer; its files stay.

        Raises InputError for one that was not added, but named when the service was started.
        """
        with self._changing:
            folder = self._added.pop(gallery_id, None)
            if folder is None:
                raise InputError(
                    f"expected a gallery that was made here, got {gallery_id}; start the service "
                    "without naming it"
                )
            with self._database.transaction() as connection:
                connection.execute("DELETE FROM gallery WHERE folder = ?", (folder,))
            return self._served.pop(gallery_id)

    def _enter(self, folder: Path, gallery_id: str) -> ServedGallery:
        real = folder.resolve()
        if any(each.folder.resolve() == real for each in self._served.values()):
            raise InputError(f"expected each gallery once, got {folder} twice")
        served = self._serve(gallery_id, folder)
        self._served[gallery_id] = served
        return served

    def _place(self, name: str) -> Path:
        """Where the gallery ``name`` is, or is to be: in the folder that is allowed, and there
        alone."""
        if self._allowed is None:
            raise InputError(
                "this service may not make galleries; start it with --galleries-folder DIR"
            )
        given, name = name, composed(" ".join(name.split())).removesuffix(ENDING)
        plain = name.isprintable() and not re.search(r"[/\\]|^[.-]", name)
        if not (0 < len(name) <= _MOST_LETTERS and plain and _encoded(name) <= _MOST_BYTES):
            raise InputError(
                f"expected a name of at most {_MOST_LETTERS} letters, without / and \\, that does "
                f"not begin with . or -, got {given[:_MOST_LETTERS]!a}"
            )
        place = self._allowed / f"{name}{ENDING}"
        if place.is_symlink():
            raise InputError(f"expected a new name, got {name}, which is a link; choose another")
        return place

    def _free_id(self, name: str) -> str:
        """An address for a folder: its name in small Latin letters, with a number if need be."""
        plain = unicodedata.normalize("NFKD", name.removesuffix(ENDING)).lower()
        words = re.findall(r"[a-z0-9]+", plain.encode("ascii", "ignore").decode())
        base = "-".join(words)[:40].strip("-") or "gallery"
        number, found = 1, base
        while found in self._served:
            number += 1
            found = f"{base}-{number}"
        return found


def _encoded(name: str) -> int:
    return len(name.encode()) + len(ENDING)
