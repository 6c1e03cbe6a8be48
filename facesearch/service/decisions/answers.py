"""What an answer to a suggestion is as a decision about people."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from facesearch.curation.editor import EditResult, PeopleEditor
from facesearch.people.projection import Person
from facesearch.service.decisions.suggestions import SuggestedCorrection
from facesearch.service.server.problems import ProblemError
from facesearch.service.views.snapshot import GallerySnapshot


def separate(editor: PeopleEditor, one: Person, other: Person) -> EditResult:
    """Say that two people are two."""
    return _method(editor, "separate")(one, other)


def discard(editor: PeopleEditor, faces: Sequence[int]) -> EditResult:
    """Say that faces are none."""
    return _method(editor, "discard")(faces)


def _method(editor: PeopleEditor, name: str) -> Callable[..., EditResult]:
    method: Any = getattr(editor, name, None)
    if method is None:
        raise ProblemError(501, "not-available", "This decision is not available yet.")
    found: Callable[..., EditResult] = method
    return found


def answer_suggestion(
    editor: PeopleEditor,
    snapshot: GallerySnapshot,
    suggestion: SuggestedCorrection,
    answer: str,
) -> EditResult:
    """Enter what an answer, "yes", "no" or "not-a-face", decides."""
    people = [snapshot.row_of_person[each].person for each in suggestion.people]
    if answer == "not-a-face":
        faces = list(suggestion.faces)
        if suggestion.kind == "same":
            faces = snapshot.faces.ids[snapshot.faces_of(people[1].id)].tolist()
        return discard(editor, faces)
    if suggestion.kind == "same":
        if answer == "no":
            return separate(editor, people[0], people[1])
        # Whoever has a name keeps the number, and else the first.
        kept, gone = people if people[0].name or not people[1].name else people[::-1]
        return editor.merge(kept, [gone])
    if answer == "no":
        return editor.add(people[0], list(suggestion.faces))
    if suggestion.kind == "mixture":
        return editor.split(people[0], list(suggestion.faces))
    return editor.reject(people[0], list(suggestion.faces))
