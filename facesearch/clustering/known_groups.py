"""Groups of faces that an earlier run had: who comes back after a trial run keeps the number."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from facesearch.people.assignment import NOBODY
from indexer.types import Ids

Numbers = NDArray[np.int64]
Keys = NDArray[np.uint64]


@dataclass(frozen=True)
class KnownGroups:
    """The groups of faces that were a person in earlier runs, those of newer runs first.

    ``keys`` uint64 (g,) name sets of faces, and ``people`` int64 (g,) are the numbers they had.
    """

    keys: Keys
    people: Numbers

    @classmethod
    def of_runs(cls, ids: Ids, runs: Sequence[Numbers]) -> KnownGroups:
        """Of the person of each of ``ids`` (n,) in each run, newest first; NOBODY for none."""
        keys, people = [np.zeros(0, np.uint64)], [np.zeros(0, np.int64)]
        for numbers in runs:
            there = numbers != NOBODY
            found, groups = np.unique(numbers[there], return_inverse=True)
            keys.append(group_keys(ids[there], groups, len(found)))
            people.append(found)
        return cls(np.concatenate(keys), np.concatenate(people))

    def joined(self, older: KnownGroups) -> KnownGroups:
        """These, and those of runs before."""
        keys, people = (self.keys, older.keys), (self.people, older.people)
        return KnownGroups(np.concatenate(keys), np.concatenate(people))

    def match(self, keys: Keys) -> tuple[NDArray[np.intp], Numbers]:
        """Which of ``keys`` (c,) were a person, and which: the newest, each person only once."""
        known, first = np.unique(self.keys, return_index=True)
        at = np.searchsorted(known, keys)
        hit = (
            np.flatnonzero(known[np.minimum(at, len(known) - 1)] == keys) if len(known) else at[:0]
        )
        places = first[at[hit]]
        order = np.argsort(places)
        _, kept = np.unique(self.people[places[order]], return_index=True)
        chosen = np.sort(order[kept])
        return hit[chosen], self.people[places[chosen]]


def group_keys(ids: Ids, groups: NDArray[np.intp], count: int) -> Keys:
    """What names the set of ids of each of ``count`` groups: the sum of a hash of each, mod 2^64.

    The hash is SplitMix64's (Steele, Lea and Flood 2014), so that two sets have one key by chance
    about once in 2^64.
    """
    with np.errstate(over="ignore"):
        mixed = ids.astype(np.uint64) + np.uint64(0x9E3779B97F4A7C15)
        mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        mixed ^= mixed >> np.uint64(31)
        keys = np.zeros(count, np.uint64)
        np.add.at(keys, groups, mixed)
    return keys
