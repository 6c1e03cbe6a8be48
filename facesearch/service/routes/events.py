"""The stream of what happens."""

from __future__ import annotations

from typing import Annotated

from fastapi import Header, Query
from fastapi.responses import StreamingResponse

from facesearch import __version__
from facesearch.service.routes.access import RoleRouter, Service
from facesearch.service.server.problems import missing

viewing = RoleRouter("view", "events")
ROUTERS = (viewing,)


@viewing.get(
    "/events",
    response_class=StreamingResponse,
    responses={200: {"content": {"text/event-stream": {}}}},
)
async def listen(
    service: Service,
    gallery: Annotated[str | None, Query(pattern=r"^[a-z0-9-]{1,64}$")] = None,
    last_event_id: Annotated[str | None, Header(pattern=r"^[0-9]{1,15}$")] = None,
) -> StreamingResponse:
    """Server-sent events of a gallery, or of all: ``gallery``, ``job`` and ``suggestions``."""
    if gallery is not None and service.gallery(gallery) is None:
        raise missing("no-such-gallery", f"gallery {gallery}", "GET galleries lists them.")
    after = None if last_event_id is None else int(last_event_id)
    stream = service.events.stream(gallery, after, {"version": __version__})
    headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
    return StreamingResponse(stream, media_type="text/event-stream", headers=headers)
