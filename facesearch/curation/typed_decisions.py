"""Decisions as people type them: what to do, with people by name or number and faces by number or
photo. Commands and a service that answers for them enter decisions in the same way."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal, get_args

from facesearch.curation.editor import EditResult, PeopleEditor
from facesearch.people.projection import Person
from facesearch.people.store import EnteredDecisions

TypedAction = Literal[
    "name",
    "merge",
    "add",
    "split",
    "reject",
    "hide",
    "unhide",
    "confirm",
    "apart",
    "later",
    "cover",
    "not-face",
]
TYPED_ACTIONS: tuple[TypedAction, ...] = get_args(TypedAction)


@dataclass(frozen=True)
class TypedDecision:
    """What to do with ``person``; "not-face" is about no person.

    ``others`` are people to merge, or another one; ``faces`` numbers of faces, or the photos that
    they are in where they are the person's; ``name`` is a new name.
    """

    action: TypedAction
    person: str = ""
    others: tuple[str, ...] = ()
    faces: tuple[str, ...] = ()
    name: str | None = None

    def enter(self, editor: PeopleEditor) -> EditResult | EnteredDecisions:
        """Enter it; raises as the editor does."""
        if self.action == "not-face":
            return editor.not_faces(self._numbers)
        return _ACTS[self.action](editor, editor.find(self.person), self)

    @property
    def _numbers(self) -> list[int]:
        """``faces``, which must be numbers."""
        return [int(each) for each in self.faces]


Act = Callable[[PeopleEditor, Person, TypedDecision], EditResult]


def _merge(editor: PeopleEditor, person: Person, typed: TypedDecision) -> EditResult:
    return editor.merge(person, [editor.find(each) for each in typed.others])


def _confirm(editor: PeopleEditor, person: Person, typed: TypedDecision) -> EditResult:
    faces = editor.pick(person, typed.faces) if typed.faces else None
    return editor.confirm(person, faces)


def _later(editor: PeopleEditor, person: Person, typed: TypedDecision) -> EditResult:
    other = editor.find(typed.others[0]) if typed.others else None
    return editor.later(person, other, typed._numbers)


def _cover(editor: PeopleEditor, person: Person, typed: TypedDecision) -> EditResult:
    (face,) = editor.pick(person, typed.faces)
    return editor.cover(person, face)


_ACTS: Mapping[str, Act] = {
    "name": lambda editor, person, typed: editor.name(person, typed.name or ""),
    "merge": _merge,
    "add": lambda editor, person, typed: editor.add(person, typed._numbers),
    "split": lambda editor, person, typed: editor.split(
        person, editor.pick(person, typed.faces), typed.name
    ),
    "reject": lambda editor, person, typed: editor.reject(person, editor.pick(person, typed.faces)),
    "hide": lambda editor, person, typed: editor.hide(person),
    "unhide": lambda editor, person, typed: editor.hide(person, hidden=False),
    "confirm": _confirm,
    "apart": lambda editor, person, typed: editor.apart(person, editor.find(typed.others[0])),
    "later": _later,
    "cover": _cover,
}
