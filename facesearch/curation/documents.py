"""People, their faces and decisions about them as plain values: what commands print, and a service
sends them.

Nothing in here is rounded, so that a command prints the same whichever of the two made its answer.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from facesearch.curation.editor import EditResult, PeopleEditor
from facesearch.curation.people_lists import DecisionStatus, PeopleList, PersonWithFaces
from facesearch.curation.typed_decisions import TypedDecision
from facesearch.curation.undo_preview import UndoPreview
from facesearch.people.decision_words import in_words
from facesearch.people.ledger import Decision
from facesearch.people.projection import ABOUT_FACES, Person
from facesearch.people.store import EnteredDecisions
from facesearch.people.superseded import Superseded
from facesearch.text import count

if TYPE_CHECKING:
    from facesearch.curation.suggestions import Suggestion

Document = dict[str, Any]
Words = Mapping[int, str]


def person_document(person: Person) -> Document:
    """A person by number and name."""
    return {"person": person.key, "name": person.name, "hidden": person.hidden}


def people_document(listed: PeopleList) -> Document:
    """People with how many faces they have."""
    return {
        "people": [
            {
                **person_document(each.person),
                "faces": each.faces,
                "decided": each.confirmed,
                "gone": each.gone,
            }
            for each in listed.people
        ],
        "faces_of_nobody": listed.faces_of_nobody,
        "hidden_people": listed.hidden,
        "clustered": listed.clustered,
    }


def faces_document(shown: PersonWithFaces) -> Document:
    """A person with faces; ``photo`` is where a photo lies, ``place`` its name and, in a video,
    when the face is seen."""
    return {
        **person_document(shown.person),
        "faces": [
            {
                "face_id": each.face.face_id,
                "photo": str(each.face.photo.location),
                "box": list(each.face.box),
                "confidence": each.confidence,
                "quality": None if math.isnan(each.face.quality) else each.face.quality,
                "decided": each.confirmed,
                "seconds": None if each.face.span is None else each.face.span.as_json(),
                "place": each.face.place,
            }
            for each in shown.faces
        ],
    }


def suggestions_document(found: Iterable[Suggestion]) -> list[Document]:
    """What is worth a look, in this order."""
    return [
        {
            "kind": each.kind,
            "person": person_document(each.person),
            "other": None if each.other is None else person_document(each.other),
            "faces": list(each.faces),
            "probability": each.probability,
            "later": each.later,
        }
        for each in found
    ]


def history_document(listed: Sequence[DecisionStatus]) -> list[Document]:
    """All decisions, the oldest first."""
    words = in_words([each.decision for each in listed])
    undone = frozenset(each.decision.batch for each in listed if each.undone)
    return [
        {
            **decision_document(each.decision, undone),
            "text": words[each.decision.id],
            "gone": each.gone,
        }
        for each in listed
    ]


def decision_document(decision: Decision, undone: frozenset[int] = frozenset()) -> Document:
    """A decision; ``undone`` are the batches that no longer apply."""
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


def overruled_document(overruled: Iterable[Superseded], words: Words) -> list[Document]:
    """Decisions that were replaced, and for which faces; ``words`` are those of the ledger."""
    return [
        {
            "decision": each.decision.id,
            "at": each.decision.created_at,
            "text": words[each.decision.id],
            "faces": list(each.faces),
        }
        for each in overruled
    ]


def overruled_lines(overruled: Iterable[Superseded], words: Words) -> list[str]:
    """One line for each decision that was replaced."""
    return _superseded_lines("replaces", overruled, words)


def entered_document(
    editor: PeopleEditor, typed: TypedDecision, outcome: EditResult | EnteredDecisions
) -> Document:
    """What was entered: ``answer`` as programs read it, and ``lines`` as people do."""
    words = in_words(editor.decisions())
    if isinstance(outcome, EnteredDecisions):
        entered, notes = outcome, []
        facts: Document = {"faces": [int(each) for each in typed.faces]}
    else:
        entered, notes = outcome.entered, _notes(editor, outcome)
        facts = {
            **person_document(outcome.person),
            "notes": list(outcome.notes),
            "unsure": list(outcome.unsure),
        }
    return {
        "answer": {
            **facts,
            "decisions": [decision_document(each) for each in entered.decisions],
            "overruled": overruled_document(entered.superseded, words),
        },
        "lines": [
            *(words[each.id] for each in entered.decisions),
            *overruled_lines(entered.superseded, words),
            *(f"note: {note}" for note in notes),
        ],
    }


def undo_document(found: UndoPreview, words: Words, *, dry_run: bool) -> Document:
    """What was undone, or with ``dry_run`` would be: as :func:`entered_document` has it, and
    ``moves`` from one person to another, each with how many faces."""
    undone = "would be undone" if dry_run else "undone"
    again = "would apply again:" if dry_run else "applies again:"
    return {
        "answer": {
            "dry_run": dry_run,
            "undone": [decision_document(each) for each in found.decisions],
            "again": overruled_document(found.again, words),
            "moves": [
                {
                    "from": each.source and each.source.key,
                    "to": each.target and each.target.key,
                    "faces": each.faces,
                }
                for each in found.moves
            ],
        },
        "lines": [
            *(
                f"{undone}: {words[each.id]}{f' (decision {each.id})' if dry_run else ''}"
                for each in found.decisions
            ),
            *_superseded_lines(again, found.again, words),
        ],
        "moves": [
            [_person_text(each.source), _person_text(each.target), each.faces]
            for each in found.moves
        ],
    }


def _notes(editor: PeopleEditor, outcome: EditResult) -> list[str]:
    """What may surprise, and how to look at faces that were not confirmed along."""
    notes = list(outcome.notes)
    actions = {each.action for each in outcome.entered.decisions}
    if outcome.unsure and not actions & (ABOUT_FACES | {"later", "enroll"}):
        notes.append(
            f"{count(len(outcome.unsure), 'less sure face')} of {outcome.person.label} "
            f"{'was' if len(outcome.unsure) == 1 else 'were'} not confirmed; look at them with: "
            f"facesearch people show {editor.folder} {outcome.person.key} --unsure"
        )
    return notes


def _superseded_lines(what: str, decisions: Iterable[Superseded], words: Words) -> list[str]:
    lines = []
    for each in decisions:
        said = count(len(each.decision.faces), "face")
        some = 0 < len(each.faces) < len(each.decision.faces)
        lines.append(
            f"{what} decision {each.decision.id} of {each.decision.created_at}"
            f"{f', for {len(each.faces)} of its {said}' if some else ''}: {words[each.decision.id]}"
        )
    return lines


def _person_text(person: Person | None) -> str:
    if person is None:
        return "no person"
    return f"{person.name} ({person.key})" if person.name else person.key
