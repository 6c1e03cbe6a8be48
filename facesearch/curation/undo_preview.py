"""Preview of an undo: the decisions it takes back, and how faces would move."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import numpy as np

from facesearch.clustering.current_people import gallery_people
from facesearch.errors import InputError
from facesearch.gallery.gallery import Gallery
from facesearch.people.assignment import PersonAssignment
from facesearch.people.ledger import Decision
from facesearch.people.projection import NOBODY, DecisionState, Person, replay
from facesearch.people.store import PeopleStore, undoable
from facesearch.people.superseded import Superseded, superseded_by


@dataclass(frozen=True)
class FacesMove:
    """How many ``faces`` would move from ``source`` to ``target``; None: no person."""

    source: Person | None
    target: Person | None
    faces: int


@dataclass(frozen=True)
class UndoPreview:
    """The ``decisions`` to be undone, those that apply ``again`` then, and the faces that move.

    The next clustering may place these faces elsewhere.
    """

    decisions: tuple[Decision, ...]
    again: tuple[Superseded, ...]
    moves: tuple[FacesMove, ...]


def preview_undo(gallery: Gallery, decision: int | None = None) -> UndoPreview:
    """What the next undo would do.

    Raises InputError where nothing is to be undone, or something else than ``decision``, if given.
    """
    decisions = PeopleStore(gallery.folder).decisions()
    last = undoable(decisions)
    if decision not in (None, *(each.id for each in last)):
        raise InputError(
            f"expected to undo decision {decision}, but decision {last[0].id} is the last one now; "
            "look again with people undo --dry-run"
        )
    without = [each for each in decisions if each.batch != last[0].batch]
    following = decisions[-1].id + 1
    undo = Decision(following, following, "", "undo", 0, last[0].batch)
    decided, then = replay(decisions), replay([*decisions, undo])
    state = gallery.state()
    now = gallery_people(gallery, state, decided)
    moves = _moves(now, gallery_people(gallery, state, then), decided, then)
    return UndoPreview(tuple(last), superseded_by(without, last), moves)


def _moves(
    now: PersonAssignment, later: PersonAssignment, decided: DecisionState, then: DecisionState
) -> tuple[FacesMove, ...]:
    """Both of the same faces; the largest moves first."""
    rows = [np.argsort(each.clustering.ids, kind="stable") for each in (now, later)]
    pairs = zip(now.of_faces()[rows[0]].tolist(), later.of_faces()[rows[1]].tolist(), strict=True)
    moved = Counter((source, target) for source, target in pairs if source != target)
    return tuple(
        FacesMove(
            None if source == NOBODY else decided.person(source),
            None if target == NOBODY else then.person(target),
            faces,
        )
        for (source, target), faces in moved.most_common()
    )
