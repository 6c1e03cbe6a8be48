"""The stream of what happens."""

from __future__ import annotations

from typing import Annotated

from anyio.to_thread import run_sync
from fastapi import Header, Query, Request
from fastapi.responses import StreamingResponse

from facesearch import __version__
from facesearch.service.routes.access import RoleRouter, Service, caller_of
from facesearch.service.server.problems import missing

viewing = RoleRouter("view", "events")
ROUTERS = (viewing,)


@viewing.get(
    "/events",
    response_class=StreamingResponse,
    responses={200: {"content": {"text/event-stream": {}}}},
)
async def listen(
    request: Request,
    service: Service,
    gallery: Annotated[str | None, Query(pattern=r"^[a-z0-9-]{1,64}$")] = None,
    last_event_id: Annotated[str | None, Header(pattern=r"^[0-9]{1,15}$")] = None,
) -> StreamingResponse:
    """Server-sent events of a gallery, or of all: ``gallery``, ``galleries``, ``job`` and
    ``suggestions``.

    The stream ends when the token is revoked or expires, or the session ends.
    """
    if gallery is not None and service.gallery(gallery) is None:
        raise missing("no-such-gallery", f"gallery {gallery}", "GET galleries lists them.")
    after = None if last_event_id is None else int(last_event_id)

    def may_look() -> bool:
        caller = caller_of(request, service)
        return caller is not None and caller.may("view")

    async def may_listen() -> bool:
        return await run_sync(may_look)

    stream = service.events.stream(gallery, after, {"version": __version__}, may_listen)
    headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
    return StreamingResponse(stream, media_type="text/event-stream", headers=headers)
