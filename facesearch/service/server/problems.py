"""Everything that goes wrong, as application/problem+json (RFC 9457) that says what to do."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from starlette.exceptions import HTTPException

from facesearch.errors import (
    BusyGalleryError,
    ChangedDecisionsError,
    ChangedGalleryError,
    FacesearchError,
    GalleryError,
    InputError,
    PhotoError,
)
from facesearch.search.partial import PartialSearchError
from facesearch.service.auth.accounts import LockedOutError
from indexer.errors import IndexerError

logger = logging.getLogger(__name__)

MEDIA_TYPE = "application/problem+json"
_TITLES = {
    400: "Bad request",
    401: "Not logged in",
    403: "Not allowed",
    404: "Not found",
    405: "Method not allowed",
    408: "Too slow",
    409: "Refused",
    410: "Gone",
    412: "Changed meanwhile",
    413: "Too large",
    415: "Unsupported",
    421: "Wrong host",
    422: "Not understood",
    429: "Too many attempts",
    431: "Headers too large",
    500: "Internal error",
    503: "Not available",
}
# What to do where nothing more is known than how a request went wrong.
_ACTIONS = {
    400: "Send a request as api/v1/openapi.json describes it.",
    404: "See api/v1/openapi.json for all addresses.",
    405: "See api/v1/openapi.json for what this address takes.",
    409: "Correct what was asked, then try again.",
    413: "Send less at once.",
    422: "Send what was expected.",
    429: "Wait as many seconds as the header Retry-After says.",
}
_LOOK_AT_LOG = "Whoever runs the service can see more in its log."


@dataclass
class ProblemError(Exception):
    """An answer that is an error: ``detail`` says what was expected and what arrived, ``action``
    what to do; ``more`` are further members of the document."""

    status: int
    code: str
    detail: str
    action: str = ""
    more: Mapping[str, Any] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)

    def document(self) -> dict[str, Any]:
        """What is sent."""
        return {
            "type": f"urn:facesearch:{self.code}",
            "title": _TITLES.get(self.status, "Error"),
            "status": self.status,
            "code": self.code,
            "detail": self.detail,
            "action": self.action or _ACTIONS.get(self.status, _LOOK_AT_LOG),
            **self.more,
        }


class NotModifiedError(Exception):
    """What the client has is what there is."""

    def __init__(self, headers: Mapping[str, str]) -> None:
        super().__init__()
        self.headers = headers


def missing(code: str, what: str, action: str = "Load the list again.") -> ProblemError:
    """404 of something that is named in the address."""
    return ProblemError(404, code, f"There is no {what}.", action)


def problem_of(error: Exception) -> ProblemError:
    """What an error of the product is to a client."""
    if isinstance(error, ProblemError):
        return error
    if isinstance(error, LockedOutError):
        seconds = max(1, round(error.seconds))
        return ProblemError(429, "rate-limited", str(error), headers={"Retry-After": str(seconds)})
    codes: Sequence[tuple[type[Exception], int, str, str]] = (
        (PartialSearchError, 503, "partial", "Try again: what is lost is opened again."),
        (BusyGalleryError, 409, "busy", "Wait until the running job has ended, then try again."),
        (ChangedDecisionsError, 409, "changed", "Look again, then decide."),
        (ChangedGalleryError, 409, "changed", "Load the page again."),
        (PhotoError, 422, "unreadable-photo", "Send another photo."),
        (InputError, 409, "refused", ""),
        (GalleryError, 503, "gallery", _LOOK_AT_LOG),
        (FacesearchError, 503, "unavailable", _LOOK_AT_LOG),
        (IndexerError, 503, "unavailable", _LOOK_AT_LOG),
        (OSError, 503, "storage", _LOOK_AT_LOG),
    )
    for kind, status, code, action in codes:
        if isinstance(error, kind):
            if status == 503:
                logger.warning("%s: %s", type(error).__name__, error)
            return ProblemError(status, code, public_text(error), action)
    raise TypeError(f"no problem of the product: {error!r}")


def public_text(error: Exception) -> str:
    """What an error says; of the file system the reason only, and not where its files lie."""
    if isinstance(error, OSError) and not isinstance(error, FacesearchError):
        return f"The storage refused: {error.strerror or type(error).__name__}."
    return str(error)


def problem_response(problem: ProblemError) -> JSONResponse:
    """As an HTTP response."""
    return JSONResponse(
        problem.document(), problem.status, dict(problem.headers), media_type=MEDIA_TYPE
    )


def add_handlers(app: FastAPI) -> None:
    """Let every error of ``app`` become a problem document."""
    app.add_exception_handler(ProblemError, _expected)
    app.add_exception_handler(NotModifiedError, _not_modified)
    for kind in (FacesearchError, IndexerError, OSError):
        app.add_exception_handler(kind, _expected)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(Exception, _unexpected)


async def _expected(request: Request, error: Exception) -> Response:
    problem = problem_of(error)
    detail = request.app.state.service.redacted(problem.detail)
    return problem_response(replace(problem, detail=detail))


async def _not_modified(request: Request, error: Exception) -> Response:
    assert isinstance(error, NotModifiedError)
    return Response(status_code=304, headers=dict(error.headers))


async def _invalid(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    errors = [
        {
            "where": ".".join(str(part) for part in each["loc"]),
            "problem": str(each["msg"]),
        }
        for each in error.errors()[:20]
    ]
    first = errors[0] if errors else {"where": "request", "problem": "it is not understood"}
    return problem_response(
        ProblemError(
            422,
            "invalid",
            f"{first['where']}: {first['problem']}",
            "Correct the request; the description of all requests is at api/v1/openapi.json.",
            {"errors": errors},
        )
    )


async def _http(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    if isinstance(error.__cause__, ProblemError):  # of a body, while it was read
        return problem_response(error.__cause__)
    codes = {404: "not-found", 405: "method-not-allowed", 413: "too-large"}
    return problem_response(
        ProblemError(
            error.status_code,
            codes.get(error.status_code, "bad-request"),
            str(error.detail),
            headers=error.headers or {},
        )
    )


async def _unexpected(request: Request, error: Exception) -> Response:
    logger.error("internal error at %s", request.url.path, exc_info=error)
    return problem_response(
        ProblemError(
            500,
            "internal",
            f"An internal error ({type(error).__name__}).",
            "This is a bug: please report it with the log of the service.",
        )
    )
