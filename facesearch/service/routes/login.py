"""Logging in and out."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response

from facesearch.service.auth.sessions import COOKIE
from facesearch.service.face_service import FaceService
from facesearch.service.routes.access import (
    PROBLEMS,
    Service,
    Somebody,
    Viewer,
    require_csrf,
)
from facesearch.service.server.problems import ProblemError
from facesearch.service.shapes.access import LoginRequest, LoginState, PasswordChange, UserView

public = APIRouter(tags=["login"], responses=PROBLEMS)
ROUTERS = (public,)


@public.get("/auth", openapi_extra={"x-role": "none"})
def login_state(service: Service, caller: Somebody) -> LoginState:
    """Who asks."""
    return LoginState(
        required=caller is None or service.needs_login(),
        user=UserView(name=caller.name, role=caller.role) if caller and caller.account else None,
        role=None if caller is None else caller.role,
        csrf=None if caller is None else caller.csrf,
    )


@public.post("/auth/login", openapi_extra={"x-role": "none"})
def log_in(
    request: Request, response: Response, service: Service, body: LoginRequest
) -> LoginState:
    """Begin a session, which a cookie names."""
    _require_json(request)
    address = request.client.host if request.client else "nowhere"
    account = service.accounts.verify(body.name, body.password.get_secret_value(), address)
    if account is None:
        raise ProblemError(
            401, "wrong-password", "The name or the password is wrong.", "Try again."
        )
    cookie = service.sessions.begin(account.name)
    session = service.sessions.find(cookie)
    _set_cookie(request, response, service, cookie)
    return LoginState(
        required=True,
        user=UserView(name=account.name, role=account.role),
        role=account.role,
        csrf=None if session is None else session.csrf,
    )


@public.post("/auth/logout", status_code=204, openapi_extra={"x-role": "none"})
def log_out(request: Request, response: Response, service: Service, caller: Somebody) -> None:
    """End the session."""
    if caller is not None:
        require_csrf(request, caller)
    cookie = request.cookies.get(COOKIE)
    if cookie:
        service.sessions.end(cookie)
    response.delete_cookie(COOKIE, path=_path(request))


@public.post("/auth/password", status_code=204, openapi_extra={"x-role": "view"})
def change_password(
    request: Request,
    response: Response,
    service: Service,
    caller: Viewer,
    body: PasswordChange,
) -> None:
    """Change the caller's password; ends all other sessions."""
    address = request.client.host if request.client else "nowhere"
    if not caller.account:
        raise ProblemError(
            409, "refused", "Expected somebody who has logged in.", "Log in with a password."
        )
    if service.accounts.verify(caller.name, body.old.get_secret_value(), address) is None:
        raise ProblemError(401, "wrong-password", "The present password is wrong.", "Try again.")
    service.accounts.change(caller.name, password=body.new.get_secret_value())
    _set_cookie(request, response, service, service.sessions.begin(caller.name))


def _require_json(request: Request) -> None:
    """What a form of another site cannot send without being asked for permission first."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/json":
        raise ProblemError(415, "unsupported-media", "Expected JSON.", "Send application/json.")


def _set_cookie(request: Request, response: Response, service: FaceService, cookie: str) -> None:
    response.set_cookie(
        COOKIE,
        cookie,
        max_age=int(service.sessions.seconds),
        path=_path(request),
        secure=request.url.scheme == "https",
        httponly=True,
        samesite="strict",
    )


def _path(request: Request) -> str:
    return f"{request.scope.get('root_path', '')}/"
