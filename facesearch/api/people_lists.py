"""The people of a gallery, the faces of one, and the decisions so far: to be looked at."""

from __future__ import annotations

from facesearch.api.arguments import AnyGallery, to_gallery
from facesearch.curation.people_lists import (
    DecisionStatus,
    PeopleList,
    PersonWithFaces,
    decision_statuses,
    people_list,
    person_with_faces,
)
from facesearch.curation.people_reader import PeopleReader
from facesearch.people.store import PeopleStore


def list_people(gallery: AnyGallery, *, hidden: bool = False) -> PeopleList:
    """The people of a gallery as they are now, also those who are ``hidden`` if asked for."""
    return people_list(PeopleReader(to_gallery(gallery)), hidden=hidden)


def show_person(gallery: AnyGallery, person: str, *, unsure: bool = False) -> PersonWithFaces:
    """The faces of ``person``: a name, the beginning of one person's name, or a number as "p12".

    ``unsure``: only those that nobody confirmed, the least certain first. Raises InputError where
    nobody is called so.
    """
    return person_with_faces(PeopleReader(to_gallery(gallery)), person, unsure=unsure)


def list_decisions(gallery: AnyGallery) -> list[DecisionStatus]:
    """Every decision about the people of a gallery, the oldest first, undone ones too."""
    opened = to_gallery(gallery)
    decisions = PeopleStore(opened.folder).decisions()
    return decision_statuses(decisions, opened.state().live_ids())
