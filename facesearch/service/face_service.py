"""The service: its galleries, accounts, jobs and events, whatever they are asked through."""

from __future__ import annotations

import logging
import re
import secrets
import threading
import unicodedata
from collections.abc import Sequence
from pathlib import Path

from facesearch.encoders.types import EncoderContract
from facesearch.engine import FaceEngine
from facesearch.errors import InputError
from facesearch.gallery.gallery import Gallery
from facesearch.search.gallery_index import SearchOpener
from facesearch.service.auth.accounts import Accounts
from facesearch.service.auth.roles import Caller
from facesearch.service.auth.sessions import LoginSessions
from facesearch.service.auth.tokens import ApiTokens
from facesearch.service.database import ServiceDatabase
from facesearch.service.decisions.suggestions import GallerySuggestions
from facesearch.service.events import EventHub
from facesearch.service.jobs.child_process import COMMAND
from facesearch.service.jobs.job import UNLISTED, Job, JobStore
from facesearch.service.jobs.queue import JobQueue
from facesearch.service.metrics import ServiceMetrics
from facesearch.service.options import EngineMaker, ServiceOptions, engine_maker
from facesearch.service.pictures import PhotoDecoders, PicturePruner
from facesearch.service.shapes.jobs import JobView
from facesearch.service.video_stills import VideoStills
from facesearch.service.views.served_gallery import ServedGallery

logger = logging.getLogger(__name__)

LOCAL = "this machine"


class FaceService:
    """Everything that lives as long as the service does. Close it when it is done."""

    def __init__(
        self,
        options: ServiceOptions,
        make_engine: EngineMaker | None = None,
        job_command: Sequence[str] = COMMAND,
        open_search: SearchOpener | None = None,
    ) -> None:
        """Open all galleries of ``options``; ``open_search`` finds faces elsewhere than here.

        Raises GalleryError for a folder that is none, InputError for two galleries of one folder
        and for none.
        """
        if not options.galleries:
            raise InputError("expected the folder of a gallery, got none; name one or more")
        self.options = options
        self.database = ServiceDatabase(options.state)
        self.accounts = Accounts(self.database)
        self.tokens = ApiTokens(self.database)
        self.sessions = LoginSessions(self.database, options.session_hours)
        self.events = EventHub()
        self.metrics = ServiceMetrics(self)
        self.uploads = PhotoDecoders(options.decoders, options.upload_limits)
        self.photos = PhotoDecoders(options.decoders, options.photo_limits)
        self.stills = VideoStills(options.decoders)
        self.pruner = PicturePruner()
        # Photos that are looked at at once: the engine is made for so many callers.
        self.engine_turns = threading.Semaphore(max(1, options.engine_threads))
        # What a page sends with changes where nobody has logged in, for as long as this runs; and
        # what the commands of this machine's user show.
        self.local_csrf = secrets.token_urlsafe(32)
        self.local_token = "fsl_" + secrets.token_urlsafe(32)
        self._open_search = open_search
        self._engines = EngineShelf(make_engine or engine_maker(options))
        self._galleries: dict[str, ServedGallery] = {}
        self._suggestions: dict[str, GallerySuggestions] = {}
        self.jobs = JobQueue(
            JobStore(self.database), self._folder_of, self._job_changed, job_command
        )
        for folder in options.galleries:
            self.add_gallery(folder)

    def start(self) -> None:
        """Begin to look for changes, and take up jobs."""
        for served in self._galleries.values():
            served.start(self.options.poll_seconds)
        self.jobs.start()

    def close(self) -> None:
        """End: jobs that run go on when the service does."""
        self.events.close()
        self.jobs.stop()
        for served in self._galleries.values():
            served.stop()
        for decoders in (self.uploads, self.photos):
            decoders.close()
        self.database.close()

    @property
    def galleries(self) -> list[ServedGallery]:
        """In the order in which they were named."""
        return list(self._galleries.values())

    def gallery(self, gallery_id: str) -> ServedGallery | None:
        """The gallery of an address."""
        return self._galleries.get(gallery_id)

    def suggestions(self, served: ServedGallery) -> GallerySuggestions:
        """Those of a gallery."""
        return self._suggestions[served.id]

    def add_gallery(self, folder: Path) -> ServedGallery:
        """Serve one more; raises InputError for one that is served already."""
        real = folder.resolve()
        if any(each.folder.resolve() == real for each in self._galleries.values()):
            raise InputError(f"expected each gallery once, got {folder} twice")
        gallery_id = self._free_id(real.name)
        served = ServedGallery(
            gallery_id,
            folder,
            self._engines.of,
            lambda version: self._gallery_changed(gallery_id, version),
            self._open_search,
        )
        self._suggestions[gallery_id] = GallerySuggestions(served, self.jobs)
        self._galleries[gallery_id] = served
        return served

    def needs_login(self) -> bool:
        """Whether there is anybody who could log in; else whoever is at this machine may all."""
        return bool(self.accounts.all() or self.tokens.all())

    def local_caller(self) -> Caller:
        """Whoever is at this machine."""
        return Caller(LOCAL, "administer", self.local_csrf)

    def redacted(self, text: str) -> str:
        """``text`` without the folders of galleries, which are nobody's business elsewhere."""
        for served in self._galleries.values():
            for folder in {str(served.folder), str(served.folder.resolve())}:
                text = text.replace(folder, served.id)
        return text

    def _folder_of(self, gallery_id: str) -> Path | None:
        served = self._galleries.get(gallery_id)
        return None if served is None else served.folder

    def _free_id(self, name: str) -> str:
        """An address for a folder: its name in small Latin letters, with a number if need be."""
        plain = unicodedata.normalize("NFKD", name.removesuffix(".gallery")).lower()
        words = re.findall(r"[a-z0-9]+", plain.encode("ascii", "ignore").decode())
        base = "-".join(words)[:40].strip("-") or "gallery"
        number, found = 1, base
        while found in self._galleries:
            number += 1
            found = f"{base}-{number}"
        return found

    def _gallery_changed(self, gallery_id: str, version: str) -> None:
        self.events.publish("gallery", gallery_id, {"gallery": gallery_id, "version": version})

    def _job_changed(self, job: Job) -> None:
        if job.kind in UNLISTED:
            if job.ended and (suggestions := self._suggestions.get(job.gallery)):
                suggestions.arrived(job)
                total = suggestions.total
                self.events.publish(
                    "suggestions", job.gallery, {"gallery": job.gallery, "total": total}
                )
            return
        if job.ended and (served := self._galleries.get(job.gallery)):
            try:
                served.refresh()  # so that who hears of the end finds what came of it
            except Exception as error:
                logger.warning("%s cannot be read after a job: %s", served.folder, error)
        view = JobView.of(job).model_dump(mode="json")
        self.events.publish("job", job.gallery, view)


class EngineShelf:
    """One engine for all galleries of one contract."""

    def __init__(self, make: EngineMaker) -> None:
        self._make = make
        self._made: dict[EncoderContract, FaceEngine] = {}
        self._lock = threading.Lock()

    def of(self, gallery: Gallery) -> FaceEngine:
        """The engine of a gallery, made when it is first needed."""
        with self._lock:
            if gallery.contract not in self._made:
                self._made[gallery.contract] = self._make(gallery)
            return self._made[gallery.contract]
