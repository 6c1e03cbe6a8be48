"""The application: all addresses of the service, below /api/v1, and the page that uses them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import cache
from pathlib import Path
from typing import Any

from anyio.to_thread import current_default_thread_limiter
from fastapi import APIRouter, FastAPI

from facesearch import __version__
from facesearch.service.face_service import FaceService
from facesearch.service.routes import (
    accounts,
    commands,
    decisions,
    events,
    galleries,
    jobs,
    login,
    people,
    people_commands,
    photos,
    probes,
    status,
    suggestions,
    uploads,
)
from facesearch.service.routes.access import caller_of, require_somebody
from facesearch.service.server.middleware import GuardMiddleware
from facesearch.service.server.problems import add_handlers
from facesearch.service.server.web_assets import WEB, web_router

API = "/api/v1"
_THREADS = 100


_ROUTES = (
    status,
    login,
    accounts,
    galleries,
    people,
    people_commands,
    photos,
    probes,
    uploads,
    decisions,
    suggestions,
    jobs,
    events,
    commands,
)


def create_app(service: FaceService, *, web: Path = WEB) -> FastAPI:
    """The application of ``service``, which it starts, and closes when it ends.

    ``web`` is the folder of the web application.
    """

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        # Some wait for a photo to be decoded; the others must not wait for them.
        current_default_thread_limiter().total_tokens = _THREADS
        service.start()
        yield
        service.close()

    app = _application(lifespan)
    app.state.service = service
    app.include_router(web_router(web))
    add_handlers(app)
    app.add_middleware(
        GuardMiddleware,
        options=service.options,
        metrics=service.metrics,
        require_sender=lambda request: require_somebody(request, caller_of(request, service)),
    )
    return app


def api_description() -> dict[str, Any]:
    """All addresses as OpenAPI describes them."""
    return _application().openapi()


def _application(lifespan: Any = None) -> FastAPI:
    app = FastAPI(
        title="facesearch",
        version=__version__,
        summary="Find faces in photos, tell who is who, and correct it.",
        openapi_url=f"{API}/openapi.json",
        docs_url=None,
        redoc_url=None,
        lifespan=lifespan,
        redirect_slashes=False,
    )
    app.router.routes.extend(_addresses().routes)
    return app


@cache
def _addresses() -> APIRouter:
    """All addresses. FastAPI reads them slowly: once for all applications, which share the routes.

    An application that included this router would read them again at its first requests.
    """
    api = APIRouter(prefix=API)
    for module in _ROUTES:
        for router in module.ROUTERS:
            api.include_router(router)
    return api
