"""Which earlier decisions are replaced by later ones."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from facesearch.people.ledger import Decision
from facesearch.people.projection import DecisionState, replay, undone_batches


@dataclass(frozen=True)
class Superseded:
    """An earlier decision that no longer applies: to ``faces``, or, where there are none, the name,
    the hiding or the split that it was about."""

    decision: Decision
    faces: tuple[int, ...] = ()


def superseded_by(earlier: Sequence[Decision], new: Sequence[Decision]) -> tuple[Superseded, ...]:
    """Which of the ``earlier`` entries of a ledger the ``new`` ones replace, oldest first.

    For a face this is the decision that assigned or rejected it first, not those that repeated it.
    The new number of a merged person replaces nothing.
    """
    undone = undone_batches(earlier)
    standing = [each for each in earlier if each.action != "undo" and each.batch not in undone]
    before, after = replay(earlier), replay([*earlier, *new])
    faces: dict[int, list[int]] = {}
    for decision, face in _lost_faces(before, after, {f.face_id for d in new for f in d.faces}):
        faces.setdefault(decision, []).append(face)
    others = {each.id for each in _lost_of_people(standing, before, after)}
    return tuple(
        Superseded(each, tuple(faces.get(each.id, ())))
        for each in standing
        if each.id in faces or each.id in others
    )


def _lost_faces(
    before: DecisionState, after: DecisionState, faces: Iterable[int]
) -> Iterator[tuple[int, int]]:
    """Decisions, each with one of ``faces`` of which it does not hold any more."""
    people: dict[int, list[int]] = {}
    for face, number in before.rejected:
        people.setdefault(face, []).append(number)
    for face in sorted(faces):
        whose = before.faces.get(face)
        if whose is not None and after.faces.get(face) != after.person(whose).id:
            yield before.since[face], face
        for number in people.get(face, ()):
            if (face, after.person(number).id) not in after.rejected:
                yield before.rejected[face, number], face


def _lost_of_people(
    standing: Sequence[Decision], before: DecisionState, after: DecisionState
) -> Iterator[Decision]:
    """Decisions whose name, hiding or split does not hold any more."""
    people = [(each, after.person(each.id)) for each in before.people.values()]
    names = {was.name for was, now in people if was.name != now.name}
    changed = {(was.id, was.hidden) for was, now in people if was.hidden != now.hidden}
    for each in reversed(standing):
        number = before.person(each.person).id
        if each.name is not None and each.name in names:
            names.remove(each.name)
            yield each
        hiding = (number, each.action == "hide")
        if each.action in ("hide", "unhide") and hiding in changed:
            changed.remove(hiding)
            yield each
        if each.action in ("split", "apart") and each.other is not None:
            pair = (number, before.person(each.other).id)
            now = {after.person(one).id for one in pair}
            if pair[0] != pair[1] and len(now) == 1:
                yield each
