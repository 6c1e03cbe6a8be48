"""What an import of names would decide, and what it would not, for it was decided otherwise."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from facesearch.people.assignment import PersonAssignment
from facesearch.people.projection import DecisionState, Person
from facesearch.people_import.noted_names import ImportProblem
from facesearch.people_import.noted_photos import NotedFace


@dataclass
class NamePlan:
    """``faces`` by name are to be decided; ``persons`` are the numbers of those names that are of
    somebody already, here or by the clustering. ``known`` counts faces that have their name."""

    faces: dict[str, list[NotedFace]] = field(default_factory=dict)
    persons: dict[str, int] = field(default_factory=dict)
    conflicts: list[ImportProblem] = field(default_factory=list)
    known: int = 0


def plan_names(
    noted: Sequence[NotedFace], decided: DecisionState, now: PersonAssignment
) -> NamePlan:
    """Compare what is noted with the present decisions, none of which is overruled.

    A name is of the person here who has it, or else of the person without a name who has most of
    its faces, by decisions and the last clustering. No person gets two names.
    """
    plan = NamePlan()
    single = _one_name_each(noted, plan)
    plan.persons = _persons(single, decided, now)
    for each in single:
        said = _said_of(each, plan.persons.get(each.name), decided)
        if said is None:
            plan.faces.setdefault(each.name, []).append(each)
        elif said:
            detail = f"{each.name} by {', '.join(each.sources)}, but {said}"
            plan.conflicts.append(ImportProblem(str(each.photo.location), "decided", detail))
        else:
            plan.known += 1
    return plan


def _one_name_each(noted: Sequence[NotedFace], plan: NamePlan) -> list[NotedFace]:
    """Each face once: copies of a photo have the same, of which two may be named differently."""
    names: dict[int, set[str]] = {}
    for each in noted:
        if each.face_id is not None:
            names.setdefault(each.face_id, set()).add(each.name)
    kept, seen = [], set()
    for each in noted:
        # Of a place without a face, that of the first copy is taken.
        key = each.face_id if each.face_id is not None else (each.photo.photo_id, each.name)
        if each.face_id is not None and len(names[each.face_id]) > 1:
            if key not in seen:
                detail = f"face {each.face_id} is {' and '.join(sorted(names[each.face_id]))}"
                plan.conflicts.append(
                    ImportProblem(str(each.photo.location), "several-names", detail)
                )
        elif key not in seen:
            kept.append(each)
        seen.add(key)
    return kept


def _persons(
    noted: Sequence[NotedFace], decided: DecisionState, now: PersonAssignment
) -> dict[str, int]:
    """The numbers of people who have the names or are to get them."""
    names = dict.fromkeys(each.name for each in noted)
    persons = {name: found.id for name in names if (found := decided.named(name))}
    faces = [each.face_id for each in noted if each.face_id is not None]
    clustered = dict(zip(faces, now.people_of(faces), strict=True))
    votes: Counter[tuple[str, int]] = Counter()
    for each in noted:
        if each.face_id is None or each.name in persons:
            continue
        number = decided.faces.get(each.face_id, clustered[each.face_id])
        if number > 0 and decided.person(number).name is None:
            votes[each.name, number] += 1
    taken: set[int] = set()
    for (name, number), _ in sorted(votes.items(), key=lambda vote: (-vote[1], vote[0])):
        if name not in persons and number not in taken:
            persons[name] = number
            taken.add(number)
    return persons


def _said_of(each: NotedFace, number: int | None, decided: DecisionState) -> str | None:
    """What was decided against the name of a face, in words; "" where it has that name, None where
    nothing was decided."""
    face = each.face_id
    if face is None:
        return None
    if face in decided.not_faces:
        return f"face {face} was said to be no face"
    holder = decided.faces.get(face)
    if holder is not None and holder != number:
        return f"face {face} was confirmed as {_who(decided.person(holder))}"
    if number is not None and (face, number) in decided.rejected:
        return f"face {face} was removed from {_who(decided.person(number))}"
    return "" if holder is not None and decided.person(holder).name == each.name else None


def _who(person: Person) -> str:
    return f"{person.name} ({person.key})" if person.name else person.key
