"""Decisions in words."""

from __future__ import annotations

from collections.abc import Sequence

from cluster.constraints import Contradiction
from facesearch.people.ledger import Decision
from facesearch.people.projection import DecisionState
from facesearch.text import count
from indexer.types import Ids


def in_words(decisions: Sequence[Decision]) -> dict[int, str]:
    """Each entry of a ledger in words, by its number; people have the names of that time."""
    texts = {}
    names: dict[int, str] = {}
    standing: list[tuple[int, dict[int, str | None]]] = []  # batches, and the names before them
    for each in decisions:
        texts[each.id] = _decision_text(each, names)
        if each.action == "undo":  # always of the last batch that stands
            while standing and standing[-1][0] == each.other:
                for number, name in standing.pop()[1].items():
                    names.pop(number, None)
                    if name is not None:
                        names[number] = name
        else:
            people = (each.person, each.other or each.person)
            standing.append((each.batch, {number: names.get(number) for number in people}))
            _enter(each, names)
    return texts


def _enter(decision: Decision, names: dict[int, str]) -> None:
    """Bring ``names`` up to date, of people by number."""
    if decision.action == "merge" and decision.other is not None:
        name = names.pop(decision.other, None)
        if name is not None:
            names.setdefault(decision.person, name)
    elif decision.name is not None:
        named = decision.other if decision.action == "split" else decision.person
        names[named or decision.person] = decision.name


def _decision_text(decision: Decision, names: dict[int, str]) -> str:
    about = decision.other if decision.action == "split" else decision.person
    then = {**names, about or 0: decision.name} if decision.name else names
    person, named = _who(decision.person, names), _who(decision.person, then)
    other = _who(decision.other or 0, then)
    belong = sum(each.belongs for each in decision.faces)
    others = len(decision.faces) - belong
    new = sum(each.person == decision.other for each in decision.faces)
    texts = {
        "enroll": f"{count(belong, 'face')} assigned to {named}",
        "add": f"{count(belong, 'face')}"
        f"{f' of {other}' if decision.other not in (None, decision.person) else ''} assigned to "
        f"{named}",
        "name": f"{person} named {decision.name}, with {count(belong, 'face')}"
        if decision.name
        else f"name of {person} removed, with {count(belong, 'face')}",
        "merge": f"{other} merged into {person}, with {count(belong, 'face')}",
        "split": f"{count(new, 'face')} moved from {person} to {other}; {belong - new} kept",
        "reject": f"{count(others, 'face')} removed from {person}"
        f"{f'; {belong} kept' if belong else ''}",
        "apart": f"{person} and {other} are not the same, with {count(belong, 'face')}",
        "later": f"{person} and {other} to be compared later"
        if decision.other
        else f"{count(len(decision.faces), 'face')} of {person} to be looked at later",
        "cover": f"another face shows {person}",
        "not-face": f"{count(len(decision.faces), 'face')} said to be none",
        "hide": f"{person} hidden, with {count(belong, 'face')}",
        "unhide": f"{person} shown again, with {count(belong, 'face')}",
        "import": f"{count(belong, 'face')} of {named} imported, and {count(others, 'rejection')}",
        "undo": f"decision {decision.other} undone",
    }
    return texts[decision.action]


def _who(number: int, names: dict[int, str]) -> str:
    """``Ada (p3)``, or the number alone."""
    return f"{names[number]} (p{number})" if names.get(number) else f"p{number}"


def contradiction_text(each: Contradiction, ids: Ids, decided: DecisionState) -> str:
    """In words, decisions that contradict each other; ``each`` is of rows of ``ids`` (n,)."""
    one, two = (int(ids[row]) for row in each.apart)
    number = decided.faces.get(int(ids[each.must[0]]))
    person = "one person" if number is None else decided.person(number).key
    if each.honoured:
        return f"faces {one} and {two} are in one photo, but both were assigned to {person}"
    return f"face {one} cannot be {person}, to whom face {two} was assigned"
