"""Answers in place of the service's, of galleries that are too large to make for a test."""

from __future__ import annotations

import base64
import time
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs, urlsplit

# A grey pixel.
PIXEL = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAAAAAA6fptVAAAACklEQVR4nGNoAAAAggCBd81ytgAAAABJRU5ErkJggg=="
)


def person_of(number: int, name: str | None = None) -> dict[str, Any]:
    """A person as a list has them."""
    return {
        "id": f"p{number}", "name": name, "label": name or f"p{number}", "hidden": False,
        "faces": 100, "photos": 100, "confirmed": 0, "first_taken": None, "last_taken": None,
        "cover": None,
    }  # fmt: skip


def face_of(number: int) -> dict[str, Any]:
    """A face of nobody as a list has it, in the photo "NUMBER.jpg"."""
    photo = {
        "id": str(number), "name": f"{number}.jpg", "taken_at": None, "width": 640, "height": 480
    }  # fmt: skip
    return {
        "id": str(number), "photo": photo, "box": [0, 0, 99, 99], "score": 0.9, "quality": 0.5,
        "person": None, "label": None, "named": False, "sureness": 0.0, "confirmed": False,
        "seconds": None,
    }  # fmt: skip


def serve_list(
    page: Any,
    path: str,
    key: str,
    total: int,
    item: Callable[[int], dict[str, Any]],
    *,
    pause: float = 0.0,
    more: Callable[[int], dict[str, Any]] = lambda begin: {},
) -> list[int]:
    """Answer the list at ``path`` as if it had the items 1 to ``total``, which are under ``key``,
    ``pause`` seconds later, with ``more`` members for a part from a place on; the places that are
    asked for, as it goes on."""
    asked: list[int] = []

    def answer(route: Any) -> None:
        query = parse_qs(urlsplit(route.request.url).query)
        begin, limit = int(query.get("start", ["0"])[0]), int(query["limit"][0])
        asked.append(begin)
        time.sleep(pause)
        end = min(begin + limit, total)
        items = [item(number) for number in range(begin + 1, end + 1)]
        following = str(end) if end < total else None
        listed = {key: items, "next": following, "total": total}
        route.fulfill(json={**listed, **more(begin)})

    page.route(f"**/galleries/my/{path}?*", answer)
    page.route("**/crop?*", lambda route: route.fulfill(body=PIXEL, content_type="image/png"))
    return asked
