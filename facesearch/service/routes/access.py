"""Who asks, whether they may, and about which gallery: what every address needs."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable, Sequence
from functools import cache
from typing import Annotated, Any, cast

from fastapi import APIRouter, Depends, Path, Request, Response

from facesearch.people.projection import Person
from facesearch.service.auth.roles import Caller, Role
from facesearch.service.auth.sessions import COOKIE
from facesearch.service.face_service import FaceService
from facesearch.service.options import is_loopback
from facesearch.service.server.problems import NotModifiedError, ProblemError, missing
from facesearch.service.shapes.common import ProblemView
from facesearch.service.shapes.people import PersonKey
from facesearch.service.views.served_gallery import ServedGallery
from facesearch.service.views.snapshot import GallerySnapshot

CSRF_HEADER = "X-CSRF-Token"
VERSION_HEADER = "X-Gallery-Version"
_SAFE = frozenset({"GET", "HEAD"})
# What proxies add, and no client on this machine does.
_OF_PROXIES = ("forwarded", "via", "x-forwarded-for", "x-forwarded-host", "x-real-ip")
PROBLEMS: dict[int | str, dict[str, Any]] = {
    "default": {
        "model": ProblemView,
        "description": "Problem",
        "content": {
            "application/problem+json": {"schema": {"$ref": "#/components/schemas/ProblemView"}}
        },
    },
}


def service_of(request: Request) -> FaceService:
    """The service that the application belongs to."""
    return cast(FaceService, request.app.state.service)


Service = Annotated[FaceService, Depends(service_of)]


def caller_of(request: Request, service: Service) -> Caller | None:
    """Who asks: by a token, by a session, or as whoever is at this machine; None for nobody."""
    given = request.headers.get("authorization")
    if given is not None:
        kind, _, token = given.partition(" ")
        if kind.lower() == "bearer" and token:
            return caller_of_token(service, token.strip())
        return None
    cookie = request.cookies.get(COOKIE)
    if cookie:
        session = service.sessions.find(cookie)
        if session is not None:
            return Caller(session.account, session.role, session.csrf, account=True)
    here = not service.needs_login() and _comes_from_here(request)
    return service.local_caller() if here else None


def _comes_from_here(request: Request) -> bool:
    """Whether a request comes from this machine, and not through a proxy on it from elsewhere."""
    if any(name in request.headers for name in _OF_PROXIES):
        return False
    return request.client is not None and is_loopback(request.client.host)


def caller_of_token(service: FaceService, token: str) -> Caller | None:
    """Whose ``token`` this is; None for any that was not given out, expired or was revoked."""
    if hmac.compare_digest(token.encode("utf-8", "replace"), service.local_token.encode()):
        return Caller("command line", "administer")
    found = service.tokens.find(token)
    return None if found is None else Caller(found.label, found.role)


Somebody = Annotated[Caller | None, Depends(caller_of)]


@cache
def require(role: Role) -> Callable[..., Caller]:
    """A dependency: the caller, who may do what ``role`` is for.

    Pages must show that the request comes from them and not from another site.
    """

    def required(request: Request, caller: Somebody) -> Caller:
        caller = require_somebody(request, caller)
        if not caller.may(role):
            raise ProblemError(
                403,
                "forbidden",
                f"This needs the role {role}; {caller.name} has {caller.role}.",
                "Ask who administers the service.",
            )
        return caller

    return required


def require_somebody(request: Request, caller: Caller | None) -> Caller:
    """Who asks; raises ProblemError for nobody, and where another site may ask in their name."""
    if caller is None:
        raise ProblemError(
            401,
            "unauthenticated",
            "Expected a login or a token.",
            "Log in, or send a token: Authorization: Bearer fst_... Who runs the service makes "
            "accounts with: facesearch accounts add",
            headers={"WWW-Authenticate": "Bearer"},
        )
    require_csrf(request, caller)
    return caller


def require_csrf(request: Request, caller: Caller) -> None:
    """That a change which a browser asks for comes from a page of this service."""
    if request.method in _SAFE or caller.csrf is None:
        return
    sent = request.headers.get(CSRF_HEADER, "")
    if not hmac.compare_digest(sent.encode("utf-8", "replace"), caller.csrf.encode()):
        raise ProblemError(
            403,
            "csrf",
            f"Expected the header {CSRF_HEADER} with the value that GET auth gives.",
            "Load the page again.",
        )


class RoleRouter(APIRouter):
    """Addresses that need one role, which their description says."""

    def __init__(self, role: Role, tag: str) -> None:
        super().__init__(tags=[tag], dependencies=[Depends(require(role))], responses=PROBLEMS)
        self.role = role

    def add_api_route(self, path: str, endpoint: Callable[..., Any], **options: Any) -> None:
        """Add one."""
        extra = {**(options.pop("openapi_extra", None) or {}), "x-role": self.role}
        super().add_api_route(path, endpoint, openapi_extra=extra, **options)


Viewer = Annotated[Caller, Depends(require("view"))]
Decider = Annotated[Caller, Depends(require("decide"))]
Administrator = Annotated[Caller, Depends(require("administer"))]

GalleryKey = Annotated[str, Path(pattern=r"^[a-z0-9-]{1,64}$")]


def served_gallery(service: Service, gallery: GalleryKey) -> ServedGallery:
    """The gallery of the address."""
    served = service.gallery(gallery)
    if served is None:
        raise missing("no-such-gallery", f"gallery {gallery}", "GET galleries lists them.")
    return served


Served = Annotated[ServedGallery, Depends(served_gallery)]


def current_snapshot(
    request: Request, response: Response, served: Served, caller: Viewer
) -> GallerySnapshot:
    """The gallery as it is; the client is told so where it has that already."""
    snapshot = served.snapshot()
    named = f"{snapshot.version} {caller.role} {request.url.query}"
    tag = f'W/"{hashlib.sha256(named.encode("utf-8", "replace")).hexdigest()[:20]}"'
    headers = {
        "ETag": tag, VERSION_HEADER: snapshot.version, "Cache-Control": "private, no-cache"
    }  # fmt: skip
    if request.method in _SAFE and tag in _tags(request.headers.get("if-none-match", "")):
        raise NotModifiedError(headers)
    response.headers.update(headers)
    return snapshot


def forbid_keeping(response: Response, unsearched: Sequence[object]) -> None:
    """Let no client keep an answer for which faces were not searched: the next may be whole."""
    if unsearched:
        del response.headers["ETag"]
        response.headers["Cache-Control"] = "no-store"


def _tags(header: str) -> list[str]:
    return [each.strip() for each in header.split(",")[:20]]


Snapshot = Annotated[GallerySnapshot, Depends(current_snapshot)]


def person_of(snapshot: GallerySnapshot, key: str) -> Person:
    """The person whom a key such as "p12" stands for now, also after a merge."""
    number = int(key[1:])
    number = snapshot.view.decided.merged.get(number, number)
    row = snapshot.row_of_person.get(number)
    if row is None or number <= 0:
        raise missing("no-such-person", f"person {key}")
    return row.person


def named_person(snapshot: Snapshot, person: PersonKey) -> Person:
    """The person of the address."""
    return person_of(snapshot, person)


NamedPerson = Annotated[Person, Depends(named_person)]


def face_row_of(snapshot: GallerySnapshot, face: int) -> int:
    """The row of a face that is there."""
    row = snapshot.face_row(face)
    if row < 0:
        raise missing("no-such-face", f"face {face}")
    return row
