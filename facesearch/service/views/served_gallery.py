"""One gallery that is served: its engine, its index and its people stay in memory.

Readers get the newest snapshot there is. A thread looks for changes of the gallery's files and
makes the next one; a reader waits for it for a moment only, so that no read waits for a write.
"""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from facesearch.api.session import GallerySession, GalleryView, local_search
from facesearch.engine import FaceEngine
from facesearch.errors import FacesearchError
from facesearch.gallery.gallery import Gallery, GalleryState
from facesearch.gallery.version import GalleryVersion
from facesearch.search.gallery_index import SearchOpener
from facesearch.search.gathered import gathering
from facesearch.service.views.face_columns import FaceColumnsReader
from facesearch.service.views.photo_columns import PhotoColumns
from facesearch.service.views.snapshot import GallerySnapshot
from indexer.errors import IndexerError
from indexer.id_lookup import contained

logger = logging.getLogger(__name__)

_PATIENCE = 0.3  # seconds that a reader waits for a newer snapshot
_ATTEMPTS = 5  # with faces that are forgotten while they are read


@dataclass(frozen=True)
class _Warm:
    """What is loaded of the gallery that its folder held at ``contract``."""

    gallery: Gallery
    columns: FaceColumnsReader


class ServedGallery:
    """A gallery by its ``id`` in addresses. Everything may be called by several threads."""

    def __init__(
        self,
        gallery_id: str,
        folder: Path,
        make_engine: Callable[[Gallery], FaceEngine],
        changed: Callable[[str], None] = lambda version: None,
        open_search: SearchOpener | None = None,
    ) -> None:
        """``changed`` hears of new versions; ``open_search`` finds faces elsewhere than here."""
        self.id = gallery_id
        self.folder = folder
        self._make_engine = make_engine
        self._changed = changed
        self._opener = gathering(open_search or local_search())
        self._warm = _Warm(Gallery.open(folder), FaceColumnsReader())
        self._session: GallerySession | None = None
        self._snapshot: GallerySnapshot | None = None
        self._photos: tuple[GalleryState, frozenset[int], PhotoColumns] | None = None
        self._version: GalleryVersion | None = None
        self._refreshing = threading.Lock()
        self._engine_lock = threading.Lock()
        self._renewed = threading.Condition()
        self._wanted = threading.Event()
        self._stopped = threading.Event()
        self._thread: threading.Thread | None = None
        # One at a time decides: the second looks at what the first has decided.
        self.deciding = threading.Lock()

    @property
    def gallery(self) -> Gallery:
        """The gallery itself."""
        return self._warm.gallery

    @property
    def places(self) -> dict[str, str]:
        """What names here begin with for each folder: those of the gallery and of its photos."""
        present = self._snapshot
        roots = {} if present is None else present.photos.prefixes
        found = {os.fsdecode(root): prefix for root, prefix in roots.items()}
        return found | {str(each): f"{self.id}/" for each in (self.folder, self.folder.resolve())}

    def start(self, poll_seconds: float) -> None:
        """Look for changes every ``poll_seconds`` from now on, in a thread."""
        self._thread = threading.Thread(
            target=self._watch, args=(poll_seconds,), name=f"watch-{self.id}", daemon=True
        )
        self._thread.start()

    def stop(self) -> None:
        """End the thread."""
        self._stopped.set()
        self._wanted.set()
        if self._thread is not None:
            self._thread.join()

    @property
    def session(self) -> GallerySession:
        """What answers questions about photos; its engine is made when it is first needed."""
        gallery = self._warm.gallery
        with self._engine_lock:
            if self._session is None or self._session.gallery is not gallery:
                engine = self._make_engine(gallery)
                session = GallerySession(gallery, engine, open_search=self._opener)
                if self._snapshot is not None and self._snapshot.view.gallery is gallery:
                    session.adopt(self._snapshot.view)
                self._session = session
            return self._session

    @property
    def engine(self) -> FaceEngine:
        """What finds and embeds faces as the gallery's are."""
        return self.session.engine

    def snapshot(self) -> GallerySnapshot:
        """The newest snapshot; the first time it is made, afterwards it is there."""
        present = self._snapshot
        if present is None:
            return self.refresh()
        if self._is_current():
            return present
        self._wanted.set()
        deadline = time.monotonic() + _PATIENCE
        with self._renewed:
            self._renewed.wait_for(
                lambda: self._snapshot is not present, deadline - time.monotonic()
            )
        return self._snapshot or present

    def refresh(self) -> GallerySnapshot:
        """The snapshot of what is on disk now: for who has just changed something."""
        with self._refreshing:
            if self._snapshot is None or not self._is_current():
                self._renew()
            assert self._snapshot is not None
            return self._snapshot

    def shows(self, snapshot: GallerySnapshot) -> bool:
        """Whether ``snapshot`` is of what is on the disk now."""
        return GalleryVersion.of(self._warm.gallery) == snapshot.view.version

    def look(self) -> None:
        """Let the thread look for changes now: for who knows of one."""
        self._wanted.set()

    def _is_current(self) -> bool:
        return GalleryVersion.of(self._warm.gallery) == self._version

    def _warm_up(self) -> None:
        """Load what the first question needs."""
        try:
            self.refresh()
            _ = self.session.view().search
        except (FacesearchError, IndexerError, OSError) as error:
            logger.warning("%s is loaded when it is asked for: %s", self.folder, error)

    def _watch(self, poll_seconds: float) -> None:
        self._warm_up()
        while not self._stopped.is_set():
            self._wanted.wait(poll_seconds)
            self._wanted.clear()
            if self._stopped.is_set():
                return
            try:
                if self._snapshot is not None:
                    self.refresh()
            except (FacesearchError, IndexerError, OSError) as error:
                logger.warning("%s is shown as it was: %s", self.folder, error)
                self._stopped.wait(poll_seconds)

    def _renew(self) -> None:
        for attempt in range(_ATTEMPTS):
            try:
                self._reopen()
                snapshot = self._read()
            except (FacesearchError, IndexerError, OSError):
                # Of files that are being replaced; what stays wrong is raised.
                if attempt == _ATTEMPTS - 1:
                    raise
                continue
            break
        with self._renewed:
            self._snapshot, self._version = snapshot, snapshot.view.version
            self._renewed.notify_all()
        self._changed(snapshot.version)

    def _reopen(self) -> None:
        """Follow an upgrade, which gives the folder vectors of another encoder."""
        now = Gallery.open(self.folder)
        was = self._warm.gallery
        if now.contract != was.contract or now.shards_folder != was.shards_folder:
            logger.info("%s now has the vectors of %s", self.folder, now.contract.name)
            self._warm = _Warm(now, FaceColumnsReader())

    def _read(self) -> GallerySnapshot:
        warm, session = self._warm, self._session
        before = self._snapshot.view if self._snapshot else None
        if session is not None and session.gallery is warm.gallery:
            view = session.view()
        elif before is not None and before.gallery is warm.gallery:
            view = GalleryView(warm.gallery, GalleryVersion.of(warm.gallery), self._opener, before)
        else:
            view = GalleryView(warm.gallery, GalleryVersion.of(warm.gallery), self._opener)
        faces = warm.columns.read(warm.gallery, view.state)
        # What was said to be no face is shown nowhere.
        dropped = view.decided.not_faces
        if dropped:
            kept = ~contained(faces.ids, np.array(sorted(dropped), np.int64))
            faces = faces.only(np.flatnonzero(kept))
        kept_photos = self._photos
        if kept_photos is None or kept_photos[0] is not view.state or kept_photos[1] != dropped:
            self._photos = (view.state, dropped, PhotoColumns.of(view.state, faces))
        assert self._photos is not None
        return GallerySnapshot.of(view, faces, self._photos[2])
