"""What is chosen on the page and is no decision about people: covers, and suggestions for later."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path

from facesearch.service.database import ServiceDatabase


class PageChoices:
    """Those of one gallery, by its folder, whatever it is called in addresses."""

    def __init__(self, database: ServiceDatabase, folder: Path) -> None:
        self._database = database
        self._gallery = str(folder.resolve())

    def covers(self) -> Mapping[int, int]:
        """The face chosen as the cover of each person, by number."""
        with self._database.transaction() as connection:
            rows = connection.execute(
                "SELECT person, face FROM cover WHERE gallery = ?", (self._gallery,)
            ).fetchall()
        return dict(rows)

    def set_cover(self, person: int, face: int | None) -> None:
        """Choose a face, or with None leave it to the program."""
        with self._database.transaction() as connection:
            connection.execute(
                "DELETE FROM cover WHERE gallery = ? AND person = ?", (self._gallery, person)
            )
            if face is not None:
                connection.execute(
                    "INSERT INTO cover VALUES (?, ?, ?)", (self._gallery, person, face)
                )

    def postponed(self) -> Mapping[str, float]:
        """When each suggestion was last put off, by its id."""
        with self._database.transaction() as connection:
            rows = connection.execute(
                "SELECT suggestion, at FROM postponed WHERE gallery = ?", (self._gallery,)
            ).fetchall()
        return dict(rows)

    def postpone(self, suggestion: str) -> None:
        """Put a suggestion after all others."""
        with self._database.transaction() as connection:
            connection.execute(
                "INSERT OR REPLACE INTO postponed VALUES (?, ?, ?)",
                (self._gallery, suggestion, time.time()),
            )
