"""The health of the service as it is sent."""

from __future__ import annotations

from typing import Literal

from facesearch.service.shapes.common import Shape


class GalleryHealth(Shape):
    """Whether a gallery can be read, and what stands in the way."""

    ready: bool
    problem: str | None


class HealthView(Shape):
    """The service is well; ``galleries`` and ``jobs`` are for who is known."""

    status: Literal["ok"]
    version: str
    galleries: dict[str, GalleryHealth] | None
    jobs: dict[str, int] | None
