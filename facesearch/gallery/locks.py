"""Who may write to a gallery, and who may show it while somebody is forgotten."""

from __future__ import annotations

import fcntl
import logging
import os
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from facesearch.errors import BusyGalleryError, EncryptedGalleryError
from facesearch.gallery.description import SEALED
from indexer.storage.atomic_files import open_lock

logger = logging.getLogger(__name__)

# Where files are fetched to before they take their places, by who holds the writer's lock.
STAGED = ".fetched"
_PAUSE = 0.1  # seconds
_ATTEMPTS = 600
_FORGETTING = "faces of the gallery are being forgotten"
_PRESENTING = "a report or archive of the gallery is being written"


@contextmanager
def writer_lock(folder: Path) -> Iterator[None]:
    """Be the one process that writes to the gallery ``folder``.

    Raises BusyGalleryError while another one is.
    """
    with open_lock(folder / "lock") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise BusyGalleryError(
                f"another process is writing to {folder}; wait until it has ended"
            ) from None
        yield


def remove_staged(folder: Path) -> None:
    """Remove what a killed transfer left, for who holds the writer's lock."""
    shutil.rmtree(folder / STAGED, ignore_errors=True)


@contextmanager
def presentation_lock(folder: Path, *, alone: bool) -> Iterator[None]:
    """Show what is in the gallery ``folder``, with others, or keep them from it: be ``alone``.

    Raises BusyGalleryError where that has to wait for longer than a minute.
    """
    reason = _PRESENTING if alone else _FORGETTING
    kind = fcntl.LOCK_EX if alone else fcntl.LOCK_SH
    with open_lock(folder / "presenting") as lock:
        for attempt in range(_ATTEMPTS):
            try:
                fcntl.flock(lock, kind | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if attempt == 0:
                    logger.warning("%s: waiting until that has ended", reason)
                time.sleep(_PAUSE)
        else:
            raise BusyGalleryError(
                f"{reason}, {folder}: wait until that has ended, then run the command again"
            )
        yield


def require_unsealed(folder: Path) -> None:
    """Raise EncryptedGalleryError where ``folder`` is an encrypted gallery."""
    if os.path.lexists(folder / SEALED):
        raise EncryptedGalleryError(
            f"{folder} is encrypted; use it through facesearch.unlocked_gallery, or decrypt it "
            f"with: facesearch decrypt {folder}"
        )
