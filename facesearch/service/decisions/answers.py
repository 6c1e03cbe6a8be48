"""What an answer to a suggestion is as a decision about people."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from facesearch.curation.editor import EditResult, PeopleEditor
from facesearch.people.projection import Person
from facesearch.people.store import EnteredDecisions
from facesearch.service.decisions.suggestions import SuggestedCorrection
from facesearch.service.server.problems import ProblemError
from facesearch.service.views.snapshot import GallerySnapshot

Outcome = EditResult | EnteredDecisions


def answer_suggestion(
    editor: PeopleEditor,
    snapshot: GallerySnapshot,
    suggestion: SuggestedCorrection,
    answer: str,
) -> Outcome:
    """Enter what an answer decides: "yes", "no", "later" or "not-a-face"."""
    people = [snapshot.row_of_person[each].person for each in suggestion.people]
    faces = list(suggestion.faces)
    if suggestion.kind == "same":
        return _about_two(editor, snapshot, people[0], people[1], answer)
    if answer == "not-a-face":
        return editor.not_faces(faces)
    if answer == "later":
        return editor.later(people[0], faces=faces)
    acts: Mapping[tuple[str, str], Callable[[Person, list[int]], EditResult]] = {
        ("leftover", "yes"): editor.add,
        ("leftover", "no"): editor.reject,
        ("mixture", "yes"): editor.split,
        ("mixture", "no"): editor.confirm,
        ("doubt", "yes"): editor.reject,
        ("doubt", "no"): editor.confirm,
    }
    return acts[suggestion.kind, answer](people[0], faces)


def _about_two(
    editor: PeopleEditor, snapshot: GallerySnapshot, one: Person, other: Person, answer: str
) -> Outcome:
    if answer == "not-a-face":
        # Of a person with several faces nobody has looked at all of them.
        if snapshot.row_of_person[other.id].faces > 1:
            raise ProblemError(
                409,
                "refused",
                f"Expected a person with a single face; {other.label} has several.",
                "Select the faces on their page that are none.",
            )
        return editor.not_faces(snapshot.faces.ids[snapshot.faces_of(other.id)].tolist())
    if answer == "later":
        return editor.later(one, other)
    if answer == "no":
        return editor.apart(one, other)
    # Whoever has a name keeps the number, and else the first.
    return editor.merge(one, [other]) if one.name or not other.name else editor.merge(other, [one])
