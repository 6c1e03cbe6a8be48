"""Where in a list the next person without a name is."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from facesearch.curation.editor import PeopleEditor
from facesearch.gallery.gallery import Gallery
from support.people_galleries import cluster, people_gallery
from support.serving.services import ServedTest

API = "/api/v1/galleries/my/people"


@pytest.fixture(scope="module")
def gallery(folder: Path) -> Gallery:
    """Twelve people, of whom some in the middle have names, and one who is hidden."""
    gallery = people_gallery(folder, 12, 2)
    cluster(gallery)
    for number, name in ((2, "Ada"), (3, "Adam"), (4, "Ben"), (9, "Zoe"), (12, "Yan")):
        editor = PeopleEditor(gallery)
        editor.name(editor.find(f"p{number}"), name)
    editor = PeopleEditor(gallery)
    editor.hide(editor.find("p6"))
    return gallery


@pytest.mark.parametrize(
    "query",
    [{}, {"order": "name"}, {"order": "recent"}, {"hidden": "all"}, {"named": True}, {"q": "a"}],
)
def test_the_place_of_the_next_unnamed_person(site: ServedTest, query: dict[str, Any]) -> None:
    def page(**more: Any) -> Any:
        answer = site.client.get(API, params={**query, **more})
        assert answer.status_code == 200, answer.text
        return answer.json()

    names = [each["name"] for each in page(limit=500)["people"]]
    for start in range(len(names) + 2):
        expected = next(
            (place for place, name in enumerate(names) if place >= start and name is None), None
        )
        assert page(start=start, limit=1)["unnamed"] == expected
