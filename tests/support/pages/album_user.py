"""Somebody who uses the web application, and what the database has after it."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from facesearch.curation.editor import PeopleEditor
from facesearch.gallery.gallery import Gallery


class AlbumUser:
    """Acts in ``page``; ``gallery`` is the folder behind it."""

    def __init__(self, page: Any, gallery: Path) -> None:
        self.page, self._gallery = page, gallery

    @property
    def people(self) -> dict[str, set[str]]:
        """The photos of every person there is, by name or number."""
        editor = PeopleEditor(Gallery.open(self._gallery))
        return {
            each.label: {record.photo.name for record in editor.records(each)}
            for each in editor.now.people
        }

    @property
    def hidden(self) -> set[str]:
        """Who is hidden, by name or number."""
        people = PeopleEditor(Gallery.open(self._gallery)).now.people
        return {each.label for each in people if each.hidden}

    def cover(self, name: str) -> int | None:
        """The face that was chosen to stand for somebody."""
        editor = PeopleEditor(Gallery.open(self._gallery))
        return editor.decided.covers.get(editor.find(name).id)

    @property
    def names(self) -> set[str]:
        """The names that people have."""
        return {label for label in self.people if not re.fullmatch(r"p\d+", label)}

    def go(self, part: str) -> None:
        """Follow a link of the bar."""
        self.page.get_by_role("navigation", name="Parts of the gallery").get_by_text(part).click()

    def more(self, entry: str) -> None:
        """Choose an entry of the menu."""
        self.page.get_by_role("button", name="More", exact=True).click()
        self.page.get_by_role("menuitem", name=entry, exact=True).click()

    def job(self, button: str) -> None:
        """Start a job and wait for its end."""
        done = self.page.locator('.job[data-state="done"]')
        before = done.count()
        self.page.get_by_role("button", name=button, exact=True).click()
        done.nth(before).wait_for()

    def tile(self, name: str) -> Any:
        """A person in the grid."""
        return self.page.get_by_role("link", name=re.compile(f"^{name}, "))

    def expect(self, text: str) -> None:
        """A message that ``text`` was done; what was undone is said in the same words, after one
        more, and stays on the page for a while."""
        self._wait_for_message(f"^(?!Undone: ).*{re.escape(text)}")

    def expect_undone(self, text: str) -> None:
        """A message that ``text`` was taken back."""
        self._wait_for_message(f"^Undone: .*{re.escape(text)}")

    def _wait_for_message(self, pattern: str) -> None:
        self.page.get_by_role("status").get_by_text(re.compile(pattern)).first.wait_for()
