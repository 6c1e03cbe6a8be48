"""A gallery at one moment, ready to be listed: nothing of it is computed for a request."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cluster.types import NOISE
from facesearch.album.build import unclustered
from facesearch.api.session import GalleryView
from facesearch.clustering.current_people import last_run
from facesearch.clustering.run_store import ClusterRun
from facesearch.encoders import thresholds_in_use
from facesearch.errors import FacesearchError
from facesearch.gallery.records import PhotoRecord
from facesearch.people.assignment import decided_rows
from facesearch.people.decision_words import in_words
from facesearch.people.ledger import DecisionAuthor
from facesearch.people.projection import Person
from facesearch.people.store import PeopleStore
from facesearch.recognition.calibration import ThresholdInUse
from facesearch.service.views.face_columns import FaceColumns
from facesearch.service.views.kept_orders import KeptOrders
from facesearch.service.views.person_rows import PersonRow, person_rows
from facesearch.service.views.photo_columns import PhotoColumns
from indexer.id_lookup import contained, distinct, positions_of, values_at
from indexer.types import Ids

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class GallerySnapshot:
    """Faces, photos and people of a gallery at one version.

    ``label`` int32 (n,) is for each row of ``faces`` the row of ``people``, -1 for nobody;
    ``sureness`` float32 (n,) in [0, 1] how surely it is that person, ``confirmed`` bool (n,)
    whether somebody decided that.
    """

    view: GalleryView
    version: str
    faces: FaceColumns
    photos: PhotoColumns
    label: NDArray[np.int32]
    sureness: NDArray[np.float32]
    confirmed: NDArray[np.bool_]
    people: tuple[Person, ...]
    rows: tuple[PersonRow, ...]

    @classmethod
    def of(
        cls,
        view: GalleryView,
        faces: FaceColumns,
        photos: PhotoColumns,
    ) -> GallerySnapshot:
        """That of ``view``, whose live faces are ``faces``."""
        now = view.people
        places = positions_of(faces.ids, now.clustering.ids)
        label = values_at(now.clustering.labels, places, NOISE)
        sureness = values_at(now.clustering.confidence, places, 0.0)
        confirmed = (decided_rows(faces.ids, view.decided) == now.of_label(label)) & (
            label != NOISE
        )
        rows = person_rows(
            view,
            faces,
            photos,
            label=label,
            sureness=sureness,
            confirmed=confirmed,
        )
        version = view.version.digest
        return cls(view, version, faces, photos, label, sureness, confirmed, now.people, rows)

    @cached_property
    def threshold(self) -> ThresholdInUse:
        """Up to which distance a face is given a name."""
        contract = self.view.gallery.contract
        if any(row.person.name is not None and row.confirmed for row in self.rows):
            try:
                return self.view.threshold_for(contract, None)
            except FacesearchError as error:
                logger.warning("the encoder's threshold is used: %s", error)
        return ThresholdInUse(thresholds_in_use(contract).identification, "encoder")

    @cached_property
    def words(self) -> Mapping[int, str]:
        """Each decision in words, by its number."""
        return in_words(self.view.decisions)

    @cached_property
    def authors(self) -> Mapping[int, DecisionAuthor]:
        """Who made each batch of decisions, where that is known."""
        return PeopleStore(self.view.gallery.folder).authors()

    @cached_property
    def run(self) -> ClusterRun | None:
        """The last clustering."""
        return last_run(self.view.gallery)

    @cached_property
    def unclustered(self) -> int:
        """How many faces came after the last clustering."""
        return len(self.faces) if self.run is None else unclustered(self.faces.ids, self.run)

    @cached_property
    def failed(self) -> list[tuple[str, PhotoRecord]]:
        """The files that could not be read, by name."""
        records = self.view.state.having("failed")
        named = [(self.photos.name_of_record(record), record) for record in records]
        return sorted(named, key=lambda each: (each[0], each[1].photo_id))

    @cached_property
    def orders(self) -> KeptOrders:
        """Lists of faces and photos in their orders."""
        return KeptOrders()

    @cached_property
    def _people_orders(self) -> dict[str, list[PersonRow]]:
        return {}

    def ordered_rows(
        self, name: str, key: Callable[[PersonRow], tuple[Any, ...]]
    ) -> list[PersonRow]:
        """All rows in the order ``name``, by ``key``; sorted once."""
        if name not in self._people_orders:
            self._people_orders[name] = sorted(self.rows, key=key)
        return self._people_orders[name]

    @cached_property
    def row_of_person(self) -> Mapping[int, PersonRow]:
        """What is listed of each person, by number."""
        return {row.person.id: row for row in self.rows}

    @cached_property
    def label_of_person(self) -> Mapping[int, int]:
        """The label of each person who has faces, by number."""
        return {person.id: label for label, person in enumerate(self.people)}

    @cached_property
    def _by_label(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Rows of faces by label, and where each label begins, from -1 on."""
        order = np.argsort(self.label, kind="stable")
        starts = np.searchsorted(self.label[order], np.arange(-1, len(self.people) + 1))
        return order, starts

    def faces_of_label(self, label: int) -> NDArray[np.int64]:
        """Rows of the faces with ``label``, ascending; -1 are those of nobody."""
        order, starts = self._by_label
        return order[starts[label + 1] : starts[label + 2]]

    def faces_of(self, number: int) -> NDArray[np.int64]:
        """Rows of the faces of a person, ascending; none for a person without any."""
        label = self.label_of_person.get(number)
        return np.zeros(0, np.int64) if label is None else self.faces_of_label(label)

    def face_row(self, face: int) -> int:
        """The row of a face, -1 where it is not live."""
        return int(self.faces.rows_of(np.array([face], np.int64))[0])

    def person_of_row(self, row: int) -> Person | None:
        """Whose the face in a row is."""
        label = int(self.label[row])
        return None if label == NOISE else self.people[label]

    def photo_of_face_rows(self, rows: NDArray[np.int64]) -> Ids:
        """The rows of ``photos`` that the faces in ``rows`` are in."""
        return self.photos.rows_of(self.faces.photo[rows])

    def photo_rows_with(self, numbers: list[int]) -> NDArray[np.int64]:
        """Rows of the photos, ascending, in which all these people are."""
        found: NDArray[np.int64] | None = None
        for number in numbers:
            photos = distinct(self.photo_of_face_rows(self.faces_of(number)))
            found = photos if found is None else found[contained(found, photos)]
        return np.arange(len(self.photos)) if found is None else found
