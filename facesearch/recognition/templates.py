"""Templates of the enrolled people, and the distances of faces to them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from facesearch.errors import InputError
from facesearch.gallery.gallery import Gallery, GalleryState
from facesearch.people.store import PeopleStore
from indexer.id_lookup import contained
from indexer.open_set.group_distances import GroupRule, VectorGroups
from indexer.types import Ids, Vectors

# The distance to a person is that to the mean of the enrolled faces, brought back to unit length:
# it misses the fewest people at any false positive rate, however many faces each has
# (benchmarks/recognition/identification.py, chosen on one half of LFW View 1's people and confirmed
# on the other).
RULE = GroupRule(None)


@dataclass(frozen=True)
class PersonTemplates:
    """Live faces with a name: ids int64 (n,), their vectors float32 (n, d), and whose each is.

    ``people`` int64 (n,) are rows of ``names``, which are sorted and each have a face.
    """

    ids: Ids
    vectors: Vectors
    people: NDArray[np.int64]
    names: tuple[str, ...]

    @classmethod
    def load(cls, gallery: Gallery, state: GalleryState) -> PersonTemplates:
        """Those of a gallery; raises InputError when no one is enrolled."""
        memberships = PeopleStore(gallery.folder).memberships()
        live = contained(memberships.ids, state.live_ids())
        if not live.any():
            raise InputError(
                "no person is enrolled in this gallery, so none can be identified; "
                f"first run: facesearch enroll {gallery.folder} NAME PHOTO..."
            )
        ids = memberships.ids[live]
        named = [name for name, alive in zip(memberships.names, live, strict=True) if alive]
        names = sorted(set(named))
        row_of = {name: row for row, name in enumerate(names)}
        people = np.array([row_of[name] for name in named], np.int64)
        return cls(ids, gallery.vectors(ids), people, tuple(names))

    def groups(self) -> VectorGroups:
        """The people as groups to be searched, by :data:`RULE`."""
        return VectorGroups(self.vectors, self.people, RULE)
