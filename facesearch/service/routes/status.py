"""Whether the service is well, for whoever watches it."""

from __future__ import annotations

from fastapi import APIRouter
from fastapi.responses import Response

from facesearch import __version__
from facesearch.service.metrics import MEDIA_TYPE
from facesearch.service.routes.access import PROBLEMS, RoleRouter, Service, Somebody
from facesearch.service.server.problems import ProblemError, public_text
from facesearch.service.shapes.status import GalleryHealth, HealthView

public = APIRouter(tags=["status"], responses=PROBLEMS)
viewing = RoleRouter("view", "status")
ROUTERS = (public, viewing)


@public.get("/health", openapi_extra={"x-role": "none"})
def health(service: Service, caller: Somebody) -> HealthView:
    """Whether the service answers and its galleries can be read; details for who may view."""
    galleries = {}
    for served in service.galleries:
        try:
            served.snapshot()
            galleries[served.id] = GalleryHealth(ready=True, problem=None)
        except Exception as error:
            problem = service.redacted(public_text(error))
            galleries[served.id] = GalleryHealth(ready=False, problem=problem)
    if not all(each.ready for each in galleries.values()):
        detail = "A gallery cannot be read."
        if caller is not None:
            detail = "; ".join(
                f"{name}: {each.problem}" for name, each in galleries.items() if each.problem
            )
        raise ProblemError(
            503, "gallery", detail, "Run facesearch check for the gallery on the machine."
        )
    running, waiting = service.jobs.counts()
    known = caller is not None
    return HealthView(
        status="ok",
        version=__version__,
        galleries=galleries if known else None,
        jobs={"running": running, "waiting": waiting} if known else None,
    )


@viewing.get(
    "/metrics",
    response_class=Response,
    responses={200: {"content": {"text/plain": {}}}},
)
def metrics(service: Service) -> Response:
    """Figures as Prometheus reads them."""
    return Response(service.metrics.text(), media_type=MEDIA_TYPE)
