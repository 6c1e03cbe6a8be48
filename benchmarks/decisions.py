"""Do decisions last? Photos are added, people decide, and the gallery is clustered again and again.

    python -m benchmarks.decisions --vectors LFW.npz

The file is that of ``benchmarks/labelled_vectors.py``. Half of the faces, in an order drawn by a
seed, are there at first, and the rest comes in ten parts. Between clusterings somebody who knows
the truth names, merges, splits, rejects, hides and undoes. Some clusterings are full, and once the
threshold changes. After each, what was decided is held against what the gallery says, by
bookkeeping of its own (:class:`Expected`), and so is the story that the clustering tells.
"""

from __future__ import annotations

import argparse
import copy
import tempfile
from collections import Counter
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.clustering import Labels, load
from benchmarks.record import record
from benchmarks.vector_gallery import add_faces, vector_gallery
from facesearch.cluster_options import ClusterOptions
from facesearch.decided import Person
from facesearch.deciding import Deciding
from facesearch.gallery import Gallery
from facesearch.gallery_people import gallery_people
from facesearch.grouping import run_clustering
from facesearch.matching import Changes
from facesearch.people import People
from facesearch.persons import PeopleNow
from facesearch.runs import save_run

ROUNDS = 10
DECISIONS = 3  # between two clusterings
SEEDS = (0, 1, 2)
THRESHOLD, LATER_THRESHOLD = 0.14, 0.12
LIKELY = {"name": 3, "merge": 3, "split": 3, "reject": 3, "add": 3, "hide": 1, "undo": 1}


@dataclass
class Expected:
    """What was decided: whose faces are, whose they are not, names, and who is hidden."""

    faces: dict[int, int] = field(default_factory=dict)
    rejected: set[tuple[int, int]] = field(default_factory=set)
    names: dict[int, str] = field(default_factory=dict)
    hidden: set[int] = field(default_factory=set)

    def lost(self, now: PeopleNow, people: People) -> list[str]:
        """What the gallery says otherwise."""
        of_face = dict(zip(now.clustering.ids.tolist(), now.of_faces().tolist(), strict=True))
        decided = people.decided()
        return [
            *(f"face {f} is not p{p}" for f, p in self.faces.items() if of_face.get(f) != p),
            *(f"face {f} is p{p} again" for f, p in self.rejected if of_face.get(f) == p),
            *(f"p{p} is not {n}" for p, n in self.names.items() if decided.person(p).name != n),
            *(f"p{p} is shown" for p in self.hidden if not decided.person(p).hidden),
        ]


class Owner:
    """Somebody who knows who is who, and decides now and then."""

    def __init__(self, gallery: Gallery, whose: dict[int, int], seed: int) -> None:
        self._gallery = gallery
        self._whose = whose
        self._rng = np.random.default_rng(seed)
        self._before: list[Expected] = []
        self.expected = Expected()
        self.made: Counter[str] = Counter()

    def decide(self) -> None:
        """One decision, of a kind drawn among those that there is a reason for."""
        kinds: dict[str, Callable[[Deciding], bool]] = {
            "name": self._name,
            "merge": self._merge,
            "split": self._split,
            "reject": self._reject,
            "add": self._add,
            "hide": self._hide,
            "undo": self._undo,
        }
        deciding = Deciding(self._gallery)
        before = copy.deepcopy(self.expected)
        likely = np.array([LIKELY[kind] for kind in kinds])
        drawn = self._rng.choice(list(kinds), len(kinds), replace=False, p=likely / likely.sum())
        for kind in drawn.tolist():
            if kinds[kind](deciding):
                self.made[kind] += 1
                if kind != "undo":
                    self._before.append(before)
                return

    def _name(self, deciding: Deciding) -> bool:
        for person in self._people(deciding, least=2):
            name = f"person {self._of(deciding, person)}"
            if person.name is None and deciding.decided.named(name) is None:
                self._say(deciding, person)
                self.expected.names[person.id] = name
                deciding.name(person, name)
                return True
        return False

    def _merge(self, deciding: Deciding) -> bool:
        seen: dict[int, Person] = {}
        for found in self._people(deciding, least=1):
            first = seen.setdefault(self._of(deciding, found), found)
            if first is not found:
                person, other = (found, first) if found.name and not first.name else (first, found)
                self._say(deciding, person)
                self._say(deciding, other, as_person=person)
                expected = self.expected
                expected.rejected = {
                    (f, person.id if p == other.id else p) for f, p in expected.rejected
                }
                for face, number in expected.rejected:
                    if expected.faces.get(face) == number:
                        del expected.faces[face]
                expected.hidden.discard(other.id)
                expected.names.pop(other.id, None)
                deciding.merge(person, [other])
                return True
        return False

    def _split(self, deciding: Deciding) -> bool:
        for person in self._people(deciding, least=2):
            others = self._others(deciding, person)
            if others:
                truth = Counter(self._whose[face] for face in others).most_common(1)[0][0]
                chosen = [face for face in others if self._whose[face] == truth]
                self._say(deciding, person)
                outcome = deciding.split(person, chosen)
                self.expected.faces |= dict.fromkeys(chosen, outcome.person.id)
                return True
        return False

    def _reject(self, deciding: Deciding) -> bool:
        for person in self._people(deciding, least=2):
            others = self._others(deciding, person)[:2]
            if others:
                self._say(deciding, person)
                for face in others:
                    del self.expected.faces[face]
                    self.expected.rejected.add((face, person.id))
                deciding.reject(person, others)
                return True
        return False

    def _add(self, deciding: Deciding) -> bool:
        of_faces = deciding.now.of_faces()
        nobodys = deciding.now.clustering.ids[of_faces < 0].tolist()
        for person in self._people(deciding, least=2):
            truth = self._of(deciding, person)
            chosen = [face for face in nobodys if self._whose[face] == truth]
            if chosen:
                self._say(deciding, person)
                self.expected.faces |= dict.fromkeys(chosen, person.id)
                self.expected.rejected -= {(face, person.id) for face in chosen}
                deciding.add(person, chosen)
                return True
        return False

    def _hide(self, deciding: Deciding) -> bool:
        person = next(each for each in self._people(deciding, least=1) if not each.hidden)
        self._say(deciding, person)
        self.expected.hidden.add(person.id)
        deciding.hide(person)
        return True

    def _undo(self, deciding: Deciding) -> bool:
        if not self._before:
            return False
        self.expected = self._before.pop()
        People(self._gallery.folder).undo()
        return True

    def _people(self, deciding: Deciding, least: int) -> list[Person]:
        """People with so many faces or more, in an order drawn."""
        sizes = np.bincount(deciding.now.clustering.labels + 1)[1:]
        people = [
            each for each, size in zip(deciding.now.people, sizes, strict=True) if size >= least
        ]
        return [people[place] for place in self._rng.permutation(len(people))]

    def _of(self, deciding: Deciding, person: Person) -> int:
        """Who most of a person's faces are."""
        faces = deciding.now.faces(person.id).tolist()
        return Counter(self._whose[face] for face in faces).most_common(1)[0][0]

    def _others(self, deciding: Deciding, person: Person) -> list[int]:
        """A person's faces that are somebody else's."""
        truth = self._of(deciding, person)
        faces = deciding.now.faces(person.id).tolist()
        return [face for face in faces if self._whose[face] != truth]

    def _say(self, deciding: Deciding, person: Person, as_person: Person | None = None) -> None:
        """A decision about a person is one about each of the faces."""
        told = [face for face, number in self.expected.faces.items() if number == person.id]
        faces = {*deciding.now.faces(person.id).tolist(), *told}
        self.expected.faces |= dict.fromkeys(faces, (as_person or person).id)


@dataclass(frozen=True)
class Round:
    """What one clustering did, and what it lost or did not explain."""

    faces: int
    full: bool
    people: int
    kept: int
    born: int
    joined: int
    moved: int
    merges: int
    splits: int
    gone: int
    lost: list[str]
    unexplained: list[str]


def simulate(
    folder: Path,
    vectors: NDArray[np.float32],
    truth: Labels,
    seed: int,
    thresholds: tuple[float, float] = (THRESHOLD, LATER_THRESHOLD),
) -> tuple[list[Round], Counter[str]]:
    """Every round, and how many decisions of each kind were made; the gallery is in ``folder``."""
    order = np.random.default_rng(seed).permutation(len(truth))
    parts = np.split(order, np.linspace(len(order) // 2, len(order), ROUNDS + 1).astype(int)[:-1])
    gallery = vector_gallery(folder, vectors.shape[1])
    whose: dict[int, int] = {}
    owner = Owner(gallery, whose, seed)
    done = []
    for number, rows in enumerate(parts):
        ids = add_faces(gallery, vectors[rows], rows.astype(np.int64))
        whose |= dict(zip(ids.tolist(), truth[rows].tolist(), strict=True))
        options = ClusterOptions(
            "agglomerative",
            thresholds[number > ROUNDS // 2],
            full=number % 3 == 2,
        )
        state = gallery.state()
        before = gallery_people(gallery, state)
        run = run_clustering(gallery, state, options)
        save_run(gallery, run)
        now = gallery_people(gallery, state)
        changes = run.changes
        done.append(
            Round(
                state.face_count,
                run.how.full,
                len(now.people),
                changes.kept,
                changes.born,
                changes.joined,
                changes.moved,
                changes.count("merge"),
                changes.count("split"),
                len(changes.gone),
                owner.expected.lost(now, People(gallery.folder)),
                unexplained(before, now, changes),
            )
        )
        if number < ROUNDS:
            for _ in range(DECISIONS):
                owner.decide()
                lost = owner.expected.lost(gallery_people(gallery, state), People(gallery.folder))
                done[-1].lost.extend(lost)
    return done, owner.made


def unexplained(before: PeopleNow, now: PeopleNow, changes: Changes) -> list[str]:
    """What became of people and faces that ``changes`` do not say, or say wrongly."""
    was = dict(zip(before.clustering.ids.tolist(), before.of_faces().tolist(), strict=True))
    is_now = dict(zip(now.clustering.ids.tolist(), now.of_faces().tolist(), strict=True))
    flows = Counter((was[face], is_now[face]) for face in was if min(was[face], is_now[face]) > 0)
    told = {(each.source, each.target): each.faces for each in changes.moves if each.reason}
    problems = [
        f"{faces} faces of p{one} are p{two}, which is told of {told.get((one, two), 0)}"
        for (one, two), faces in flows.items()
        if one != two and told.get((one, two)) != faces
    ]
    left = {number for number in was.values() if number > 0} - {*is_now.values()}
    ended = {each.person for each in changes.gone if each.reason}
    ended |= {each.source for each in changes.moves if each.kind == "merge"}
    problems += [f"p{number} is gone, and nothing says why" for number in left - ended]
    return problems + [
        f"the faces of p{number} are p{other} now, and are the same"
        for number, other in _same_faces(was, is_now)
        if number != other
    ]


def _same_faces(was: dict[int, int], is_now: dict[int, int]) -> list[tuple[int, int]]:
    """Numbers before and now of every set of faces that is a person's both times."""
    sets: list[dict[frozenset[int], int]] = []
    for numbers in (was, is_now):
        groups: dict[int, list[int]] = {}
        for face, number in numbers.items():
            if number > 0:
                groups.setdefault(number, []).append(face)
        sets.append({frozenset(faces): number for number, faces in groups.items()})
    return [(number, sets[1][faces]) for faces, number in sets[0].items() if faces in sets[1]]


def main() -> None:
    """Simulate and record."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--vectors", type=Path, required=True)
    parser.add_argument("--note", default="LFW, one face a photo", help="kept in the result")
    args = parser.parse_args()
    vectors, truth = load(args.vectors)
    runs: list[dict[str, Any]] = []
    for seed in SEEDS:
        with tempfile.TemporaryDirectory() as folder:
            rounds, made = simulate(Path(folder) / "made.gallery", vectors, truth, seed)
        runs.append({"seed": seed, "decisions": dict(made), "rounds": [asdict(r) for r in rounds]})
        print(
            runs[-1]["decisions"], [(len(r.lost), len(r.unexplained)) for r in rounds], flush=True
        )
    result = {
        "note": args.note,
        "faces": len(truth),
        "people": len(np.unique(truth)),
        "thresholds": [THRESHOLD, LATER_THRESHOLD],
        "runs": runs,
    }
    print(f"recorded in {record('decisions', result)}")


if __name__ == "__main__":
    main()
