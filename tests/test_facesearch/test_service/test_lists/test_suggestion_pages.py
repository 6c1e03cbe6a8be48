"""Suggestions in pages: none is missed while they are answered, and none comes twice but later."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from support.people_galleries import halved_people_gallery
from support.serving.services import ServedTest, open_service, served

API = "/api/v1/galleries/my/suggestions"
SECONDS = 240.0


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ServedTest]:
    # None are made again while a test looks at them.
    monkeypatch.setattr("facesearch.service.decisions.suggestions._PAUSE_SECONDS", 3600.0)
    with served(open_service(tmp_path, halved_people_gallery(tmp_path, 6))) as site:
        yield site


def page(site: ServedTest, **query: Any) -> Any:
    answer = site.client.get(API, params={"kind": "same", **query})
    assert answer.status_code == 200, answer.text
    return answer.json()


def made(site: ServedTest) -> list[str]:
    """The ids of all, once they are made."""
    until = time.monotonic() + SECONDS
    while (found := page(site))["computing"] or not found["total"]:
        assert time.monotonic() < until, found
        time.sleep(0.05)
    return [each["id"] for each in found["suggestions"]]


def answer(site: ServedTest, suggestion: str, said: str) -> None:
    answered = site.client.post(f"{API}/{suggestion}", json={"answer": said}, headers=site.local())
    assert answered.status_code == 200, answered.text


def test_pages_are_the_whole_list(site: ServedTest) -> None:
    whole = made(site)
    assert len(whole) == 6
    for limit in (1, 4, 6):
        seen, cursor = [], None
        while True:
            found = page(site, limit=limit, **({} if cursor is None else {"cursor": cursor}))
            seen += [each["id"] for each in found["suggestions"]]
            cursor = found["next"]
            if cursor is None:
                break
        assert seen == whole
    assert [each["id"] for each in page(site, start=4)["suggestions"]] == whole[4:]


def test_a_walk_misses_none_while_they_are_answered(site: ServedTest) -> None:
    whole = made(site)
    first = page(site, limit=2)
    assert [each["id"] for each in first["suggestions"]] == whole[:2]
    answer(site, whole[0], "no")  # it goes, and what follows moves up
    answer(site, whole[1], "later")  # it comes again after all others
    answer(site, whole[3], "no")
    site.service.galleries[0].refresh()
    rest = page(site, cursor=first["next"])["suggestions"]
    assert [each["id"] for each in rest] == [whole[2], whole[4], whole[5], whole[1]]


def test_another_cursor_is_refused(site: ServedTest) -> None:
    for cursor in ("7", "bm9uZQ"):
        answered = site.client.get(API, params={"cursor": cursor})
        assert answered.status_code == 409 and "cursor" in answered.json()["detail"]
