"""A gallery that stays open: engine, index, people and threshold are loaded once."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import cached_property
from pathlib import Path
from typing import TypeVar

from facesearch.api.arguments import (
    AnyEngine,
    AnyGallery,
    AnyPath,
    to_engine,
    to_gallery,
    to_neighbours,
    to_photo,
    to_threshold,
)
from facesearch.clustering.current_people import gallery_people
from facesearch.curation.people_reader import KnownPeople
from facesearch.embed import EmbedOptions
from facesearch.encoders import thresholds_in_use
from facesearch.encoders.types import EncoderContract
from facesearch.engine import FaceEngine
from facesearch.engine_options import DEFAULT_ENGINE
from facesearch.errors import ChangedGalleryError
from facesearch.gallery.gallery import Gallery, GalleryState, require_gallery
from facesearch.gallery.version import GalleryVersion
from facesearch.images import FoundPhoto, find_each
from facesearch.people.assignment import PersonAssignment
from facesearch.people.ledger import Decision
from facesearch.people.projection import NOBODY, DecisionState, replay
from facesearch.people.store import PeopleStore
from facesearch.recognition.calibration import (
    Calibration,
    ThresholdInUse,
    calibrate_unasked,
    read_calibration,
    threshold_in_use,
)
from facesearch.recognition.identify import (
    FaceMatches,
    Identification,
    PhotoIdentification,
    Probe,
    ProbeMatches,
    Verification,
    compare_probes,
    identify_probe,
    match_probe,
    read_probe,
)
from facesearch.recognition.negative_examples import NegativeExamples
from facesearch.recognition.photo_stream import ProbeFailure, probes_of
from facesearch.recognition.templates import PersonTemplates
from facesearch.search.gallery_index import GallerySearch, SearchOpener, open_search
from indexer.open_set.group_distances import VectorGroups
from indexer.runtime.devices import check_device

_Answer = TypeVar("_Answer")


class GallerySession:
    """Answers questions about photos, each in the time that its photo takes.

    What was read of the gallery is used until its files change: before each answer they are looked
    at, and what then is out of date is read again. Several threads may ask at once: what one reads
    for its answer serves the others.
    """

    def __init__(
        self,
        gallery: Gallery,
        engine: AnyEngine,
        *,
        device: str = "auto",
        open_search: SearchOpener | None = None,
    ) -> None:
        """``device`` is where vectors are compared, as :mod:`indexer.runtime.devices` names it.

        ``open_search`` finds faces in another way, as on a cluster.
        Raises ContractError for an engine whose vectors are not the gallery's.
        """
        require_gallery(gallery)
        self.engine = to_engine(engine, gallery.contract)
        gallery.require(self.engine.contract)
        self.gallery = gallery
        self._opener = open_search or local_search(check_device(device))
        self._view: GalleryView | None = None
        self._lock = threading.RLock()

    @classmethod
    def open(
        cls, gallery: AnyGallery, *, engine: AnyEngine = DEFAULT_ENGINE, device: str = "auto"
    ) -> GallerySession:
        """The session of a gallery or its folder; GalleryError where there is none."""
        opened = to_gallery(gallery)
        check_device(device)  # before the models are loaded
        return cls(opened, to_engine(engine, opened.contract), device=device)

    @property
    def people(self) -> tuple[str, ...]:
        """The names that can be identified, sorted; InputError where no one is enrolled."""
        return self.view().enrolled.names

    def identify(self, photo: AnyPath, *, threshold: float | None = None) -> list[Identification]:
        """The person of every face of ``photo``, or None, largest face first; of a video by time.

        A face is named where the nearest person is within the squared distance ``threshold``, by
        default the gallery's calibrated one, or the encoder's. Raises InputError for a photo that
        cannot be read, a threshold out of [0, 4], and where no one is enrolled.
        """
        given = None if threshold is None else to_threshold(threshold)
        self._answer(lambda view: view.groups)  # before the photo is looked at
        return self.identify_faces(read_probe(self.engine, to_photo(photo, "photo")), given)

    def identify_many(
        self,
        photos: Iterable[Path],
        *,
        threshold: float | None = None,
        options: EmbedOptions | None = None,
    ) -> Iterator[PhotoIdentification]:
        """Who is in each of ``photos``, videos and folders too, as :meth:`identify` has it.

        Photos are decoded by worker processes, and given one by one, in their order. What cannot be
        read is reported with its reason. Raises InputError for a threshold out of [0, 4], and
        where no one is enrolled.
        """
        yield from self.identify_found(find_each(photos), threshold=threshold, options=options)

    def identify_found(
        self,
        found: Iterable[FoundPhoto],
        *,
        threshold: float | None = None,
        options: EmbedOptions | None = None,
    ) -> Iterator[PhotoIdentification]:
        """As :meth:`identify_many`, of files that were ``found`` already."""
        given = None if threshold is None else to_threshold(threshold)
        self._answer(lambda view: view.groups)  # before any photo is looked at
        for probe in probes_of(self.engine, found, options or EmbedOptions.for_cores()):
            if isinstance(probe, ProbeFailure):
                yield PhotoIdentification(Path(probe.photo), (), probe.reason, probe.detail)
            else:
                yield PhotoIdentification(probe.photo, tuple(self.identify_faces(probe, given)))

    def identify_faces(self, probe: Probe, threshold: float | None = None) -> list[Identification]:
        """As :meth:`identify` does, of faces that this session's engine found."""

        def ask(view: GalleryView) -> list[Identification]:
            with self._lock:
                names, groups = view.enrolled.names, view.groups
                in_use = view.threshold(self.engine, threshold)
                negatives = view.negatives
            return identify_probe(probe, names, groups, in_use, negatives)

        return self._answer(ask)

    def search(self, photo: AnyPath, k: int = 10) -> list[FaceMatches]:
        """The ``k`` nearest gallery faces of every face of ``photo``, largest face first.

        Raises InputError for a photo that cannot be read, and for a gallery without faces.
        """
        k = to_neighbours(k)
        return self.match_faces(read_probe(self.engine, to_photo(photo, "photo")), k)

    def match_faces(self, probe: Probe, k: int = 10) -> list[FaceMatches]:
        """As :meth:`search` does, of faces that this session's engine found.

        Raises PartialSearchError where faces are on a cluster, and some are away.
        """
        return self.matches_of(probe, k).require_complete()

    def matches_of(self, probe: Probe, k: int = 10) -> ProbeMatches:
        """As :meth:`match_faces`, and what was not searched in place of an error."""
        k = to_neighbours(k)
        if not probe.boxes:
            return ProbeMatches(())

        def ask(view: GalleryView) -> ProbeMatches:
            with self._lock:
                state, search, names = view.state, view.search, view.names
            return match_probe(probe, view.gallery, state, search, names=names, k=k)

        return self._answer(ask)

    def verify(
        self, first: AnyPath, second: AnyPath, *, threshold: float | None = None
    ) -> Verification:
        """Whether the largest faces of two photos show one person; see :func:`verify_photos`."""
        return verify_photos(first, second, threshold=threshold, engine=self.engine)

    def view(self) -> GalleryView:
        """What the gallery is now."""
        with self._lock:
            version = GalleryVersion.of(self.gallery)
            if self._view is None or self._view.version != version:
                self._view = GalleryView(self.gallery, version, self._opener, self._view)
            return self._view

    def adopt(self, view: GalleryView) -> None:
        """Use what was read for ``view`` of this gallery, as long as it is so on the disk."""
        with self._lock:
            self._view = view

    def _answer(self, ask: Callable[[GalleryView], _Answer]) -> _Answer:
        try:
            return ask(self.view())
        except ChangedGalleryError:
            with self._lock:
                self._view = None
            return ask(self.view())  # of what is left


def local_search(device: str = "auto") -> SearchOpener:
    """Opens the index of a gallery in this process."""
    return lambda gallery, state: open_search(gallery, state, device)


class GalleryView:
    """What a gallery was at one version of its files; each part is read when it is first used."""

    def __init__(
        self,
        gallery: Gallery,
        version: GalleryVersion,
        opener: SearchOpener,
        before: GalleryView | None = None,
    ) -> None:
        """What was read for the view ``before`` is taken from it, where it is still so."""
        self.gallery = gallery
        self.version = version
        self._opener = opener
        if before is not None and version.same_faces(before.version):
            for part in ("state", "search"):
                if part in before.__dict__:
                    self.__dict__[part] = before.__dict__[part]

    @cached_property
    def state(self) -> GalleryState:
        """The live faces."""
        return self.gallery.state()

    @cached_property
    def search(self) -> GallerySearch:
        """What finds their vectors."""
        return self._opener(self.gallery, self.state)

    @cached_property
    def decided(self) -> DecisionState:
        """What was decided about people, and holds."""
        return replay(self.decisions)

    @cached_property
    def decisions(self) -> list[Decision]:
        """The ledger, oldest first."""
        return PeopleStore(self.gallery.folder).decisions()

    @cached_property
    def people(self) -> PersonAssignment:
        """Who has which face."""
        return gallery_people(self.gallery, self.state, self.decided)

    @property
    def known_people(self) -> KnownPeople:
        """What is known of people, for who reads them."""
        return KnownPeople(self.decisions, self.decided, self.people)

    @cached_property
    def names(self) -> Mapping[int, str]:
        """The name of each face whose person has one."""
        return self.people.name_of_faces()

    @cached_property
    def enrolled(self) -> PersonTemplates:
        """The people with names; InputError where there are none."""
        return PersonTemplates.load(self.gallery, self.state)

    @cached_property
    def groups(self) -> VectorGroups:
        """Their vectors, to be compared with."""
        return self.enrolled.groups()

    @cached_property
    def negatives(self) -> NegativeExamples:
        """Faces that were removed from people, by the rows of ``enrolled.names``."""
        number_of = {person.name: number for number, person in self.decided.people.items()}
        numbers = [number_of.get(name, NOBODY) for name in self.enrolled.names]
        return NegativeExamples.load(self.gallery, self.state, self.decided, numbers)

    @cached_property
    def calibration(self) -> Calibration | None:
        """The threshold learnt from the gallery, now where it never was before; None where it has
        too few people or clusters to learn from."""
        kept = read_calibration(self.gallery)
        if kept is not None:
            return kept
        merged = thresholds_in_use(self.gallery.contract).cluster
        return calibrate_unasked(self.gallery, self.state, merged)

    def threshold(self, engine: FaceEngine, given: float | None) -> ThresholdInUse:
        """The threshold of identification: ``given``, the gallery's, or else the encoder's, which
        knows nothing of how many people there are."""
        return self.threshold_for(engine.contract, given)

    def threshold_for(self, contract: EncoderContract, given: float | None) -> ThresholdInUse:
        """The same for the vectors of ``contract``, without the engine that makes them."""
        if given is not None:
            return ThresholdInUse(given, "given")
        if self.calibration is not None:
            return threshold_in_use(self.enrolled, self.calibration)
        return ThresholdInUse(thresholds_in_use(contract).identification, "encoder")


def search_photo(
    gallery: AnyGallery,
    photo: AnyPath,
    k: int = 10,
    *,
    engine: AnyEngine = DEFAULT_ENGINE,
    device: str = "auto",
) -> list[FaceMatches]:
    """As :meth:`GallerySession.search` does, of a session for this photo alone."""
    k = to_neighbours(k)
    return GallerySession.open(gallery, engine=engine, device=device).search(photo, k)


def identify_photo(
    gallery: AnyGallery,
    photo: AnyPath,
    *,
    threshold: float | None = None,
    engine: AnyEngine = DEFAULT_ENGINE,
) -> list[Identification]:
    """As :meth:`GallerySession.identify` does, of a session for this photo alone."""
    return GallerySession.open(gallery, engine=engine).identify(photo, threshold=threshold)


def verify_photos(
    first: AnyPath,
    second: AnyPath,
    *,
    threshold: float | None = None,
    engine: AnyEngine = DEFAULT_ENGINE,
) -> Verification:
    """Whether the largest faces of two photos show one person.

    They do within the squared distance ``threshold``, by default the encoder's. Raises InputError
    for a photo that cannot be read or shows no face, and for a threshold out of [0, 4].
    """
    given = None if threshold is None else to_threshold(threshold)
    ready = to_engine(engine)
    one, two = (read_probe(ready, to_photo(photo, "photo")) for photo in (first, second))
    default = thresholds_in_use(ready.contract).verification
    return compare_probes(one, two, default if given is None else given)
