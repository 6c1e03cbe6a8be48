"""An encoder's thresholds, learned from photos of people who are known."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from cluster.linkage.average_linkage import average_linkage, cut
from cluster.metrics import bcubed_scores
from facesearch.encoders.catalogue.spec import Thresholds
from facesearch.errors import InputError
from facesearch.evaluate.all_pairs import AllPairs, all_pairs
from facesearch.evaluate.datasets.labelled_photos import LabelledPhotos
from facesearch.evaluate.protocols import Setup
from facesearch.text import count

IDENTIFICATION_FAR = 1e-4  # share of pairs of different people that identification may accept
LEAST_SAME, LEAST_DIFFERENT = 100, round(1 / IDENTIFICATION_FAR)
MOST_CLUSTERED = 5000  # faces whose clusters choose the threshold, to bound the time
_STEPS = 60
_DECIMALS = 4


def learn_thresholds(setup: Setup, photos: LabelledPhotos) -> tuple[Thresholds, AllPairs]:
    """Thresholds for the engine of ``setup``, and what pairs of the photos they were learned from.

    Raises InputError where the photos show too few people, or too few of them twice.
    """
    embedded = setup.embed(photos.root, photos.paths)
    usable = embedded.usable("reject")
    people, vectors = photos.person_numbers[usable], embedded.vectors[usable]
    _require_pairs(people)
    chosen_on = (
        f"{count(len(people), 'photo')} of {count(len(np.unique(people)), 'person', 'people')} "
        "that you gave: verification at the best accuracy on as many same as different pairs, "
        "identification where one in 10,000 pairs of different people would be accepted, clusters "
        "at the best F of average linkage"
    )
    return thresholds_for(vectors, people, chosen_on)


def thresholds_for(
    vectors: NDArray[np.float32], people: NDArray[np.int64], chosen_on: str
) -> tuple[Thresholds, AllPairs]:
    """Thresholds for unit vectors float32 (n, d) of people int64 (n,), by all their pairs."""
    pairs = all_pairs(vectors, people, fars=(1e-3, IDENTIFICATION_FAR))
    identification = pairs.at_far[-1].threshold
    verification = max(_most_accurate(pairs), identification)
    learned = Thresholds(
        verification=round(verification, _DECIMALS),
        identification=round(identification, _DECIMALS),
        cluster=round(_best_cut(vectors, people, verification), _DECIMALS),
        chosen_on=chosen_on,
    )
    return learned, pairs


def _require_pairs(people: NDArray[np.int64]) -> None:
    sizes = np.unique(people, return_counts=True)[1]
    same = int((sizes * (sizes - 1) // 2).sum())
    different = len(people) * (len(people) - 1) // 2 - same
    if same < LEAST_SAME or different < LEAST_DIFFERENT:
        raise InputError(
            f"expected photos that give {LEAST_SAME:,} pairs of one person and "
            f"{LEAST_DIFFERENT:,} of two, got {same:,} and {different:,} from "
            f"{len(people)} photos with a face; 50 people with 3 photos each suffice"
        )


def _most_accurate(pairs: AllPairs) -> float:
    """The lowest threshold of the greatest mean of true accept and true reject rates."""
    curve = pairs.roc
    return float(curve.thresholds[np.argmax(curve.tar - curve.far)])


def _best_cut(vectors: NDArray[np.float32], people: NDArray[np.int64], most: float) -> float:
    """The threshold up to ``most`` at which average linkage gives the best BCubed F."""
    vectors, people = vectors[:MOST_CLUSTERED], people[:MOST_CLUSTERED]
    merges = average_linkage(vectors)
    candidates = np.linspace(0.3, 1.0, _STEPS) * most
    scores = [
        bcubed_scores(people, cut(merges, len(people), float(threshold))).f
        for threshold in candidates
    ]
    return float(candidates[int(np.argmax(scores))])
