"""Do decisions last? Photos are added, people decide, and the gallery is clustered again and again.

    python -m benchmarks.clustering.decision_simulation --vectors LFW.npz

The file is that of ``benchmarks/common/labelled_vectors.py``. Half of the faces, in an order drawn
by a seed, are there at first, and the rest comes in ten parts. Between clusterings somebody who
knows the truth names, merges, splits, rejects, adds, hides and undoes. Some clusterings are full,
and once the threshold changes. After each, what was decided is held against what the gallery says,
by bookkeeping of its own (:class:`Expected`), and so is the story that the clustering tells: every
move must be reported, with its actual reason, and no way to give the people of before
their numbers would have let more faces keep their person
(``benchmarks/clustering/check_reported_changes.py``).
"""

from __future__ import annotations

import argparse
import copy
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.clustering.check_reported_changes import (
    Reasons,
    misnumbered,
    numbers_of,
    unexplained,
)
from benchmarks.clustering.quality import Labels, load
from benchmarks.common.record import record
from benchmarks.common.vector_gallery import add_faces, vector_gallery
from facesearch.clustering.current_people import gallery_people
from facesearch.clustering.options import ClusterOptions
from facesearch.clustering.run import run_clustering
from facesearch.clustering.run_store import ClusterRun, save_run
from facesearch.curation.editor import PeopleEditor
from facesearch.gallery.gallery import Gallery
from facesearch.people.assignment import PersonAssignment
from facesearch.people.projection import Person
from facesearch.people.store import PeopleStore

ROUNDS = 10
DECISIONS = 3  # between two clusterings
ADDED = 2  # faces at most, to somebody at once
SEEDS = (0, 1, 2)
THRESHOLD, LATER_THRESHOLD = 0.14, 0.12
LIKELY = {"name": 3, "merge": 3, "split": 3, "reject": 3, "add": 3, "hide": 1, "undo": 2}


@dataclass
class Expected:
    """What was decided: whose faces are, whose they are not, names, and who is hidden."""

    faces: dict[int, int] = field(default_factory=dict)
    rejected: set[tuple[int, int]] = field(default_factory=set)
    names: dict[int, str] = field(default_factory=dict)
    hidden: set[int] = field(default_factory=set)
    given: set[int] = field(default_factory=set)  # by decisions about the faces alone

    def lost(self, now: PersonAssignment, people: PeopleStore) -> list[str]:
        """What the gallery says otherwise."""
        of_face = numbers_of(now)
        decided = people.decided()
        return [
            *(f"face {f} is not p{p}" for f, p in self.faces.items() if of_face.get(f) != p),
            *(f"face {f} is p{p} again" for f, p in self.rejected if of_face.get(f) == p),
            *(f"p{p} is not {n}" for p, n in self.names.items() if decided.person(p).name != n),
            *(f"p{p} is shown" for p in self.hidden if not decided.person(p).hidden),
        ]


class Owner:
    """Somebody who knows who is who, and decides now and then."""

    def __init__(self, gallery: Gallery, seed: int) -> None:
        self._gallery = gallery
        self.whose: dict[int, int] = {}  # the truth, of faces by number
        self.seed = seed
        self._rng = np.random.default_rng(seed)
        self._before: list[Expected] = []
        self._about: list[set[int]] = []  # whom each of these decisions is about
        self._known = 0  # how many of them the last clustering knew
        self._undone: set[int] = set()
        self.expected = Expected()
        self.made: Counter[str] = Counter()

    def clustered(self) -> None:
        """A clustering has followed all that was decided."""
        self._known, self._undone = len(self._about), set()

    @property
    def undone(self) -> set[int]:
        """Whom decisions were about that the last clustering followed, and that were undone."""
        return self._undone

    @property
    def decided_since(self) -> set[int]:
        """Of whom something is decided otherwise than the last clustering knew."""
        return self._undone.union(*self._about[self._known :])

    def decide(self) -> None:
        """One decision, of a kind drawn among those that there is a reason for."""
        kinds: dict[str, Callable[[PeopleEditor], bool]] = {
            "name": self._name,
            "merge": self._merge,
            "split": self._split,
            "reject": self._reject,
            "add": self._add,
            "hide": self._hide,
            "undo": self._undo,
        }
        deciding = PeopleEditor(self._gallery, sure=0.0)  # confirms whole clusters
        before = copy.deepcopy(self.expected)
        likely = np.array([LIKELY[kind] for kind in kinds])
        drawn = self._rng.choice(list(kinds), len(kinds), replace=False, p=likely / likely.sum())
        for kind in drawn.tolist():
            if kind != "undo":
                self._about.append(set())
            if not kinds[kind](deciding):
                if kind != "undo":
                    self._about.pop()
            else:
                self.made[kind] += 1
                if kind != "undo":
                    self._before.append(before)
                return

    def _name(self, deciding: PeopleEditor) -> bool:
        for person in self._people(deciding, least=2):
            name = f"person {self._of(deciding, person)}"
            if person.name is None and deciding.decided.named(name) is None:
                self._say(deciding, person)
                self.expected.names[person.id] = name
                deciding.name(person, name)
                return True
        return False

    def _merge(self, deciding: PeopleEditor) -> bool:
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
                again = {(f, n) for f, n in expected.rejected if expected.faces.get(f) == n}
                expected.rejected -= {(f, n) for f, n in again if f in expected.given}
                for face, _ in again & expected.rejected:
                    del expected.faces[face]
                expected.hidden.discard(other.id)
                expected.names.pop(other.id, None)
                deciding.merge(person, [other])
                return True
        return False

    def _split(self, deciding: PeopleEditor) -> bool:
        for person in self._people(deciding, least=2):
            others = self._others(deciding, person)
            if others:
                truth = Counter(self.whose[face] for face in others).most_common(1)[0][0]
                chosen = [face for face in others if self.whose[face] == truth]
                self._say(deciding, person)
                outcome = deciding.split(person, chosen)
                self.expected.faces |= dict.fromkeys(chosen, outcome.person.id)
                self._about[-1].add(outcome.person.id)
                return True
        return False

    def _reject(self, deciding: PeopleEditor) -> bool:
        for person in self._people(deciding, least=2):
            others = self._others(deciding, person)[:2]
            if others:
                self._about[-1].add(person.id)
                for face in others:
                    self.expected.faces.pop(face, None)
                    self.expected.rejected.add((face, person.id))
                deciding.reject(person, others)
                return True
        return False

    def _add(self, deciding: PeopleEditor) -> bool:
        of_faces = numbers_of(deciding.now)
        for person in self._people(deciding, least=2):
            truth = self._of(deciding, person)
            chosen = [
                face
                for face, number in of_faces.items()
                if number != person.id and self.whose[face] == truth
            ][:ADDED]
            if chosen:
                sources = {of_faces[face] for face in chosen}
                self._about[-1] |= {person.id, *sources}
                self.expected.faces |= dict.fromkeys(chosen, person.id)
                self.expected.rejected -= {(face, person.id) for face in chosen}
                self.expected.given |= set(chosen)
                deciding.add(person, chosen)
                return True
        return False

    def _hide(self, deciding: PeopleEditor) -> bool:
        person = next(each for each in self._people(deciding, least=1) if not each.hidden)
        self._say(deciding, person)
        self.expected.hidden.add(person.id)
        deciding.hide(person)
        return True

    def _undo(self, deciding: PeopleEditor) -> bool:
        if not self._before:
            return False
        self.expected = self._before.pop()
        about = self._about.pop()
        if len(self._about) < self._known:
            self._known -= 1
            self._undone |= about
        PeopleStore(self._gallery.folder).undo()
        return True

    def _people(self, deciding: PeopleEditor, least: int) -> list[Person]:
        """People with so many faces or more, in an order drawn."""
        sizes = np.bincount(deciding.now.clustering.labels + 1)[1:]
        people = [
            each for each, size in zip(deciding.now.people, sizes, strict=True) if size >= least
        ]
        return [people[place] for place in self._rng.permutation(len(people))]

    def _of(self, deciding: PeopleEditor, person: Person) -> int:
        """Who most of a person's faces are."""
        faces = deciding.now.faces(person.id).tolist()
        return Counter(self.whose[face] for face in faces).most_common(1)[0][0]

    def _others(self, deciding: PeopleEditor, person: Person) -> list[int]:
        """A person's faces that are somebody else's."""
        truth = self._of(deciding, person)
        faces = deciding.now.faces(person.id).tolist()
        return [face for face in faces if self.whose[face] != truth]

    def _say(self, deciding: PeopleEditor, person: Person, as_person: Person | None = None) -> None:
        """A decision about a person is one about each of the faces."""
        self._about[-1] |= {person.id, (as_person or person).id}
        expected_faces = [
            face for face, number in self.expected.faces.items() if number == person.id
        ]
        faces = {*deciding.now.faces(person.id).tolist(), *expected_faces}
        self.expected.faces |= dict.fromkeys(faces, (as_person or person).id)


@dataclass(frozen=True)
class Round:
    """What one clustering did, and what it lost or did not explain."""

    faces: int
    full: bool
    people: int
    kept: int
    born: int
    returned: int
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
    gallery = vector_gallery(folder, vectors.shape[1])
    owner = Owner(gallery, seed)
    return list(played(gallery, owner, vectors, truth, thresholds)), owner.made


def played(
    gallery: Gallery,
    owner: Owner,
    vectors: NDArray[np.float32],
    truth: Labels,
    thresholds: tuple[float, float] = (THRESHOLD, LATER_THRESHOLD),
) -> Iterator[Round]:
    """One round after the other, in an empty ``gallery``."""
    order = np.random.default_rng(owner.seed).permutation(len(truth))
    parts = np.split(order, np.linspace(len(order) // 2, len(order), ROUNDS + 1).astype(int)[:-1])
    threshold = None
    for number, rows in enumerate(parts):
        ids = add_faces(gallery, vectors[rows], rows.astype(np.int64))
        owner.whose |= dict(zip(ids.tolist(), truth[rows].tolist(), strict=True))
        options = ClusterOptions(
            "agglomerative",
            thresholds[number > ROUNDS // 2],
            full=number % 3 == 2,
        )
        done = _clustered(gallery, owner, options, threshold)
        threshold = options.threshold
        owner.clustered()
        if number < ROUNDS:
            done.lost.extend(_decided(gallery, owner))
        yield done


def _clustered(
    gallery: Gallery, owner: Owner, options: ClusterOptions, threshold: float | None
) -> Round:
    """Cluster, where the run before had ``threshold``, and look at what became of the people."""
    state = gallery.state()
    before = gallery_people(gallery, state)
    run = run_clustering(gallery, state, options)
    save_run(gallery, run)
    now = gallery_people(gallery, state)
    changes = run.changes
    return Round(
        state.face_count,
        run.how.full,
        len(now.people),
        changes.kept,
        changes.born,
        changes.returned,
        changes.joined,
        changes.moved,
        changes.count("merge"),
        changes.count("split"),
        len(changes.gone),
        owner.expected.lost(now, PeopleStore(gallery.folder)),
        _problems(owner, run, before, now, _changed_threshold(threshold, options.threshold)),
    )


def _changed_threshold(before: float | None, now: float) -> str:
    if before is None or before == now:
        return ""
    return f"threshold changed from {before:.4g} to {now:.4g}"


def _problems(
    owner: Owner, run: ClusterRun, before: PersonAssignment, now: PersonAssignment, options: str
) -> list[str]:
    """What a run did to people without a reason, or for a wrong one."""
    reasons = Reasons(options, run.how.full, owner.decided_since, before, now)
    problems = [*unexplained(before, now, run.changes), *reasons.wrong(run.changes)]
    if not owner.undone:  # else the people of before are not all that numbers go by
        problems += misnumbered(before, now, {*owner.expected.faces.values()})
    return problems


def _decided(gallery: Gallery, owner: Owner) -> list[str]:
    """Let the owner decide; what was lost by it, looked at after each decision."""
    state, lost = gallery.state(), []
    for _ in range(DECISIONS):
        owner.decide()
        people = gallery_people(gallery, state)
        lost.extend(owner.expected.lost(people, PeopleStore(gallery.folder)))
    return lost


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
