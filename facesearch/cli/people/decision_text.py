"""Decisions of people as JSON, and what is printed of them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from facesearch.people.ledger import Decision
from facesearch.people.superseded import Superseded
from facesearch.text import count, printable


def entry(decision: Decision, undone: frozenset[int] = frozenset()) -> dict[str, Any]:
    """A decision as JSON; ``undone`` are the batches that no longer apply."""
    return {
        "id": decision.id,
        "at": decision.created_at,
        "action": decision.action,
        "person": f"p{decision.person}" if decision.person else None,
        "other": None if not decision.other or decision.action == "undo" else f"p{decision.other}",
        "name": decision.name,
        "undoes": decision.other if decision.action == "undo" else None,
        "undone": decision.batch in undone,
        "faces": [
            {"face_id": each.face_id, "person": f"p{each.person}", "belongs": each.belongs}
            for each in decision.faces
        ],
    }


def overruled_json(overruled: Iterable[Superseded], words: dict[int, str]) -> list[dict[str, Any]]:
    """Decisions that were replaced, and for which faces; ``words`` are those of the ledger."""
    return [
        {
            "decision": each.decision.id,
            "at": each.decision.created_at,
            "text": words[each.decision.id],
            "faces": each.faces,
        }
        for each in overruled
    ]


def print_overruled(overruled: Iterable[Superseded], words: dict[int, str]) -> None:
    """Print one line for each decision that was replaced."""
    _print_each("replaces", overruled, words)


def print_again(again: Iterable[Superseded], words: dict[int, str], would: bool) -> None:
    """Print one line for each decision that applies again, or ``would``."""
    _print_each("would apply again:" if would else "applies again:", again, words)


def _print_each(what: str, decisions: Iterable[Superseded], words: dict[int, str]) -> None:
    for each in decisions:
        said = count(len(each.decision.faces), "face")
        some = 0 < len(each.faces) < len(each.decision.faces)
        text = (
            f"{what} decision {each.decision.id} of {each.decision.created_at}"
            f"{f', for {len(each.faces)} of its {said}' if some else ''}: {words[each.decision.id]}"
        )
        print(printable(text))
