"""Advice as the page shows it: with crops, links and odds in words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from facesearch.album.advice import Advice, DoubtAdvice, MergeAdvice, MixtureAdvice
from facesearch.report.view_models import FaceView, PersonView

# More is in album.json; no one reads a page that shows too much.
MOST_MERGES = 30
MOST_MIXTURES = 20
MOST_DOUBTS = 40
MIXTURE_FACES = 5


@dataclass(frozen=True)
class MergeView:
    """Two people who may be one."""

    one: PersonView
    two: PersonView
    advice: MergeAdvice

    def command(self, gallery: str) -> str:
        """What follows the advice; the first person stays, so one with a name if there is one."""
        one, two = sorted((self.one.person, self.two.person), key=lambda each: each.name is None)
        return _command("merge", gallery, one.person_id, two.person_id)


@dataclass(frozen=True)
class MixtureView:
    """A person who may be two: some of the faces that may be another's."""

    person: PersonView
    faces: Sequence[FaceView]
    advice: MixtureAdvice

    def command(self, gallery: str) -> str:
        """What follows the advice."""
        faces = map(str, self.advice.faces)
        return _command("split", gallery, self.person.person.person_id, *faces)


@dataclass(frozen=True)
class DoubtView:
    """A face that may be in the wrong place; ``other`` is whose it may be."""

    person: PersonView
    face: FaceView
    other: PersonView | None
    advice: DoubtAdvice

    def command(self, gallery: str) -> str:
        """What follows the advice."""
        return _command("reject", gallery, self.person.person.person_id, str(self.advice.face_id))


@dataclass(frozen=True)
class AdviceView:
    """What the page shows of the advice."""

    merges: Sequence[MergeView]
    mixtures: Sequence[MixtureView]
    doubts: Sequence[DoubtView]

    def __len__(self) -> int:
        return len(self.merges) + len(self.mixtures) + len(self.doubts)


def advice_view(advice: Advice, people: Mapping[str, PersonView]) -> AdviceView:
    """The first pieces of ``advice``, about ``people`` by key."""
    faces = {
        view.face.face_id: view
        for person in people.values()
        for view in (person.cover, *person.others)
    }
    return AdviceView(
        [
            MergeView(people[each.keys[0]], people[each.keys[1]], each)
            for each in advice.merges[:MOST_MERGES]
        ],
        [
            MixtureView(
                people[each.key], [faces[face] for face in each.faces[:MIXTURE_FACES]], each
            )
            for each in advice.mixtures[:MOST_MIXTURES]
        ],
        [
            DoubtView(people[each.key], faces[each.face_id], people.get(each.next_key), each)
            for each in advice.doubts[:MOST_DOUBTS]
        ],
    )


def _command(name: str, *words: str) -> str:
    """The command line, or "" where commands have no word for a person."""
    return " ".join(("facesearch people", name, *words)) if all(words) else ""


def odds(probability: float) -> str:
    """``about 9 in 10``, as a reader takes it better than 0.8874."""
    tenths = round(10 * probability)
    if tenths >= 10:
        return "almost surely"
    return f"about {tenths} in 10" if tenths else "less than 1 in 10"
