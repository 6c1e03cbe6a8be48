"""Faces that were said not to show a person: what is nearest to one of them is not that person."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from facesearch.gallery.gallery import Gallery, GalleryState
from facesearch.people.projection import DecisionState
from indexer.types import Vectors


@dataclass(frozen=True)
class NegativeExamples:
    """By row of some people, the vectors of the faces that are theirs and of those that are not.

    ``positive`` and ``negative`` map rows to vectors float32 (m, d); only people with both are in
    them.
    """

    positive: Mapping[int, Vectors]
    negative: Mapping[int, Vectors]

    @classmethod
    def load(
        cls,
        gallery: Gallery,
        state: GalleryState,
        decided: DecisionState,
        people: Sequence[int],
    ) -> NegativeExamples:
        """Of the people with these numbers, by their rows; of faces that are live."""
        row_of = {number: row for row, number in enumerate(people)}
        live = {*state.live_ids().tolist()} if decided.rejected else set()
        theirs: dict[int, list[int]] = {}
        others: dict[int, list[int]] = {}
        for face, number in sorted(decided.rejected):
            if number in row_of and face in live:
                others.setdefault(row_of[number], []).append(face)
        for face, number in decided.faces.items():
            if row_of.get(number) in others and face in live:
                theirs.setdefault(row_of[number], []).append(face)
        return cls(
            {row: gallery.vectors(np.array(faces, np.int64)) for row, faces in theirs.items()},
            {
                row: gallery.vectors(np.array(faces, np.int64))
                for row, faces in others.items()
                if row in theirs
            },
        )

    def bar(self, vectors: Vectors, people: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Which of ``vectors`` float32 (n, d) are not of ``people`` int64 (n,), rows as above:
        those to which the nearest example of the person, of either kind, is a negative one."""
        barred = np.zeros(len(vectors), np.bool_)
        for row in {*people.tolist()} & self.negative.keys():
            asked = np.flatnonzero(people == row)
            near, far = (
                (vectors[asked] @ examples[row].T).max(axis=1)
                for examples in (self.negative, self.positive)
            )
            barred[asked] = near >= far  # of unit vectors: at no greater distance
        return barred


NO_NEGATIVES = NegativeExamples({}, {})
