"""The files of the web application, of its folder and no other, under a strict policy."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from fastapi import APIRouter, Request
from fastapi.responses import Response

from facesearch.service.server.problems import NotModifiedError, missing

WEB = Path(__file__).parents[1] / "web"
_MEDIA_TYPES = {
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".mjs": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".json": "application/json",
    ".webmanifest": "application/manifest+json",
    ".svg": "image/svg+xml",
    ".png": "image/png",
    ".ico": "image/x-icon",
    ".woff2": "font/woff2",
    ".txt": "text/plain; charset=utf-8",
}


@dataclass(frozen=True)
class WebAsset:
    """A file in memory, its type, and a name for its content."""

    data: bytes
    media_type: str
    tag: str

    @classmethod
    def of(cls, data: bytes, suffix: str) -> WebAsset:
        """That of a file with ``suffix``."""
        return cls(data, _MEDIA_TYPES[suffix], f'"{hashlib.sha256(data).hexdigest()[:20]}"')


@lru_cache(maxsize=500)
def _read(path: Path, mtime_ns: int) -> WebAsset:
    return WebAsset.of(path.read_bytes(), path.suffix)


def page(folder: Path) -> WebAsset | None:
    """The page of the application, which names all modules: browsers ask for them at once, where
    they would learn of them one import after the other."""
    found = asset(folder, "index.html")
    if found is None:
        return None
    names = sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*.js"))
    links = "\n".join(f'<link rel="modulepreload" href="assets/{name}">' for name in names)
    script = b"<script "
    return WebAsset.of(found.data.replace(script, links.encode() + b"\n" + script, 1), ".html")


def asset(folder: Path, name: str) -> WebAsset | None:
    """A file of the web application; None for any other."""
    parts = name.split("/")
    if any(part.startswith(".") or not part for part in parts) or "\0" in name or "\\" in name:
        return None
    path = folder.joinpath(*parts)
    if path.suffix not in _MEDIA_TYPES:
        return None
    try:
        if not path.resolve(strict=True).is_relative_to(folder.resolve()) or not path.is_file():
            return None
        return _read(path, path.stat().st_mtime_ns)
    except (OSError, ValueError):
        return None


def web_router(folder: Path) -> APIRouter:
    """The addresses of the application: its page, and what that loads."""
    router = APIRouter(include_in_schema=False)

    @router.get("/")
    def application(request: Request) -> Response:
        return _answer(request, page(folder))

    @router.get("/favicon.ico")
    def icon(request: Request) -> Response:
        return _answer(request, asset(folder, "favicon.ico") or asset(folder, "favicon.svg"))

    @router.get("/assets/{name:path}")
    def file(request: Request, name: str) -> Response:
        return _answer(request, asset(folder, name))

    return router


def _answer(request: Request, found: WebAsset | None) -> Response:
    if found is None:
        raise missing("not-found", "such file", "The application begins at /.")
    headers = {"ETag": found.tag, "Cache-Control": "no-cache"}
    if found.tag in request.headers.get("if-none-match", ""):
        raise NotModifiedError(headers)
    return Response(found.data, media_type=found.media_type, headers=headers)
