"""The service: its galleries, accounts, jobs and events, whatever they are asked through."""

from __future__ import annotations

import logging
import secrets
import threading
from collections.abc import Sequence
from pathlib import Path

from facesearch.encoders.types import EncoderContract
from facesearch.engine import FaceEngine
from facesearch.errors import BusyGalleryError, InputError
from facesearch.gallery.gallery import Gallery
from facesearch.search.gallery_index import SearchOpener
from facesearch.service.announcement import ServiceAnnouncement
from facesearch.service.auth.accounts import Accounts
from facesearch.service.auth.roles import Caller, Role, includes
from facesearch.service.auth.sessions import LoginSessions
from facesearch.service.auth.tokens import ApiTokens
from facesearch.service.database import ServiceDatabase
from facesearch.service.decisions.suggestions import GallerySuggestions
from facesearch.service.events import EventHub
from facesearch.service.gallery_registry import GalleryRegistry
from facesearch.service.jobs.child_process import COMMAND
from facesearch.service.jobs.job import UNLISTED, Job, JobStore
from facesearch.service.jobs.queue import JobQueue
from facesearch.service.metrics import ServiceMetrics
from facesearch.service.options import EngineMaker, ServiceOptions, engine_maker
from facesearch.service.pictures import PhotoDecoders, PicturePruner
from facesearch.service.redaction import without_paths, without_places
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
        if not options.galleries and options.galleries_folder is None:
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
        # Where commands find this service, while it listens.
        self.announcement: ServiceAnnouncement | None = None
        self._open_search = open_search
        self._engines = EngineShelf(make_engine or engine_maker(options))
        self._suggestions: dict[str, GallerySuggestions] = {}
        self._started = False
        self.jobs = JobQueue(
            JobStore(self.database), self._folder_of, self._job_changed, job_command
        )
        self.registry = GalleryRegistry(self.database, options.galleries_folder, self._serve)
        for folder in options.galleries:
            self.registry.add_named(folder)
        self.registry.add_kept()

    def start(self) -> None:
        """Begin to look for changes, and take up jobs."""
        self._started = True
        for served in self.galleries:
            served.start(self.options.poll_seconds)
        self.jobs.start()

    def close(self) -> None:
        """End: jobs that run go on when the service does."""
        self.events.close()
        self.jobs.stop()
        for served in self.galleries:
            served.stop()
        for decoders in (self.uploads, self.photos):
            decoders.close()
        self.database.close()

    @property
    def galleries(self) -> list[ServedGallery]:
        """In the order in which they were named, then added."""
        return self.registry.all()

    def gallery(self, gallery_id: str) -> ServedGallery | None:
        """The gallery of an address."""
        return self.registry.find(gallery_id)

    def suggestions(self, served: ServedGallery) -> GallerySuggestions:
        """Those of a gallery."""
        return self._suggestions[served.id]

    def create_gallery(self, name: str, by: str) -> ServedGallery:
        """Make a gallery and serve it, from now on and when the service is started again.

        Raises InputError as :meth:`GalleryRegistry.create` does.
        """
        served = self.registry.create(name, by, self._engines.new_contract)
        if self._started:
            served.start(self.options.poll_seconds)
        if self.announcement is not None:
            self.announcement.add(served)
        self._galleries_changed(served.id)
        return served

    def remove_gallery(self, gallery_id: str) -> None:
        """Serve a gallery no longer; its files stay.

        Raises as :meth:`GalleryRegistry.remove` does, BusyGalleryError while its jobs wait or run.
        """
        if self.jobs.busy(gallery_id):
            raise BusyGalleryError(f"a job of {gallery_id} waits or runs")
        served = self.registry.remove(gallery_id)
        if self.announcement is not None:
            self.announcement.remove(served)
        served.stop()
        self._suggestions.pop(gallery_id, None)
        self._galleries_changed(gallery_id)

    def needs_login(self) -> bool:
        """Whether there is anybody who could log in; else whoever is at this machine may all."""
        return bool(self.accounts.all() or self.tokens.all())

    def local_caller(self) -> Caller:
        """Whoever is at this machine."""
        return Caller(LOCAL, "administer", self.local_csrf)

    def redacted(self, text: str) -> str:
        """``text`` with names in place of where galleries and their photos lie."""
        return without_places(text, self._places())

    def job_view(self, job: Job, role: Role) -> JobView:
        """``job`` as it is shown to who has ``role``: where files lie is for who administers."""
        view = JobView.of(job)
        if includes(role, "administer"):
            return view
        places = {str(root): "" for root in job.arguments.get("roots", ())} | self._places()
        return JobView.model_validate(without_paths(view.model_dump(), places))

    def _places(self) -> dict[str, str]:
        """What stands for each folder that is known here."""
        places = {str(self.options.state.absolute()): ""}
        if self.registry.allowed is not None:
            places[str(self.registry.allowed)] = ""
        for served in self.galleries:
            places |= served.places
        return places

    def _folder_of(self, gallery_id: str) -> Path | None:
        served = self.gallery(gallery_id)
        return None if served is None else served.folder

    def _serve(self, gallery_id: str, folder: Path) -> ServedGallery:
        served = ServedGallery(
            gallery_id,
            folder,
            self._engines.of,
            lambda version: self._gallery_changed(gallery_id, version),
            self._open_search,
        )
        self._suggestions[gallery_id] = GallerySuggestions(served, self.jobs)
        return served

    def _gallery_changed(self, gallery_id: str, version: str) -> None:
        self.events.publish("gallery", gallery_id, {"gallery": gallery_id, "version": version})

    def _galleries_changed(self, gallery_id: str) -> None:
        served = [each.id for each in self.galleries]
        self.events.publish("galleries", gallery_id, {"galleries": served})

    def _job_changed(self, job: Job) -> None:
        if job.kind in UNLISTED:
            if job.ended and (suggestions := self._suggestions.get(job.gallery)):
                suggestions.arrived(job)
                total = suggestions.total
                self.events.publish(
                    "suggestions", job.gallery, {"gallery": job.gallery, "total": total}
                )
            return
        if job.ended and (served := self.gallery(job.gallery)):
            try:
                served.refresh()  # so that who hears of the end finds what came of it
            except Exception as error:
                logger.warning("%s cannot be read after a job: %s", served.folder, error)
        # All who listen are sent the same.
        view = self.job_view(job, "view").model_dump(mode="json")
        self.events.publish("job", job.gallery, view)


class EngineShelf:
    """One engine for all galleries of one contract."""

    def __init__(self, make: EngineMaker) -> None:
        self._make = make
        self._made: dict[EncoderContract, FaceEngine] = {}
        self._new: EncoderContract | None = None
        self._lock = threading.Lock()

    def of(self, gallery: Gallery) -> FaceEngine:
        """The engine of a gallery, made when it is first needed."""
        with self._lock:
            if gallery.contract not in self._made:
                self._made[gallery.contract] = self._make(gallery.contract)
            return self._made[gallery.contract]

    def new_contract(self) -> EncoderContract:
        """The contract of new galleries, whose engine is made for it the first time."""
        with self._lock:
            if self._new is None:
                engine = self._make(None)
                self._new = engine.contract
                self._made.setdefault(self._new, engine)
            return self._new
