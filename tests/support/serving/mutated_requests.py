"""Requests made from the description of a service and then spoilt, and what may come of them."""

from __future__ import annotations

import atexit
import json
import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import Any
from urllib.parse import quote

from hypothesis import strategies as st

from facesearch.service.server.app import api_description
from facesearch.service.transport import UploadPart
from support.fake_engine import write_photo
from support.serving.services import ServedTest, clustered_gallery, open_service, served

DESCRIBED = api_description()
# Logging out, and streams that never end, say nothing here; jobs and whole disks take long.
_LEFT_OUT = {
    "/api/v1/events",
    "/api/v1/galleries/{gallery}/jobs",
    "/api/v1/galleries/{gallery}/identify-folder",
    "/api/v1/auth/logout",
}
OPERATIONS = [
    (method, path, operation)
    for path, methods in sorted(DESCRIBED["paths"].items())
    for method, operation in sorted(methods.items())
    if path not in _LEFT_OUT
]
_GOOD = {"gallery": "my", "person": "p1", "face": "0", "photo": "0", "job": "1", "name": "ada",
         "token": "t1", "suggestion": "same-p1-p2", "file": "index.html"}  # fmt: skip
_BAD_TEXT = st.one_of(
    st.text(max_size=40),
    st.sampled_from(
        ["", "..", "../../etc/passwd", "%00", "\0", "p" + "9" * 30, "-1", "1e309", "NaN", "null",
         "9" * 40, "p0", "\ud7ff", "'; DROP TABLE account; --", "{}", "[[" * 200]
    ),
)  # fmt: skip
_JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats(allow_nan=True)
    | _BAD_TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(_BAD_TEXT, inner, max_size=4),
    max_leaves=12,
)


def resolved(schema: dict[str, Any]) -> dict[str, Any]:
    """A schema without a reference."""
    if "$ref" in schema:
        found: dict[str, Any] = DESCRIBED["components"]["schemas"][schema["$ref"].split("/")[-1]]
        return found
    return schema


def values(schema: dict[str, Any], depth: int = 0) -> st.SearchStrategy[Any]:
    """Values that mostly are what a schema says."""
    schema = resolved(schema)
    choices = schema.get("anyOf") or schema.get("oneOf")
    if choices:
        return st.one_of([values(each, depth) for each in choices])
    if "enum" in schema:
        return st.sampled_from(schema["enum"])
    if "const" in schema:
        return st.just(schema["const"])
    return _of_kind(schema, depth)


def _of_kind(schema: dict[str, Any], depth: int) -> st.SearchStrategy[Any]:
    kind = schema.get("type")
    known = ["p1", "p2", "0", "1", "2", "Ada", "a long password", "view", "administer", "yes"]
    plain: dict[Any, st.SearchStrategy[Any]] = {
        "string": st.sampled_from(known) | _BAD_TEXT,
        "integer": st.integers(-2, 10) | st.integers(-(2**65), 2**65),
        "number": st.floats(-1, 5) | st.floats(),
        "boolean": st.booleans(),
    }
    if kind == "array" and depth < 4:
        return st.lists(values(schema.get("items", {}), depth + 1), max_size=4)
    if kind == "object" and depth < 4:
        fields = {
            name: values(each, depth + 1) for name, each in schema.get("properties", {}).items()
        }
        needed = {name: fields.pop(name) for name in schema.get("required", ()) if name in fields}
        return st.fixed_dictionaries(needed, optional=fields)
    return plain.get(kind, st.none())


@st.composite
def requests(draw: st.DrawFn) -> dict[str, Any]:
    """A request to one of the addresses, perhaps spoilt in its path, query, headers or body."""
    method, path, operation = draw(st.sampled_from(OPERATIONS))
    query = {}
    for parameter in operation.get("parameters", ()):
        name = parameter["name"]
        if parameter["in"] == "path":
            good = st.just(_GOOD[name])
            value = draw(st.one_of(good, good, _BAD_TEXT, values(parameter["schema"]).map(str)))
            path = path.replace(f"{{{name}:path}}", value).replace(f"{{{name}}}", value)
        elif parameter["in"] == "query" and draw(st.booleans()):
            query[name] = draw(values(parameter["schema"]).map(_as_text) | _BAD_TEXT)
    request: dict[str, Any] = {"method": method.upper(), "path": path, "query": query}
    content = operation.get("requestBody", {}).get("content", {})
    if "application/json" in content:
        schema = content["application/json"]["schema"]
        request["json"] = draw(st.one_of(values(schema), values(schema), _JSON))
    elif content:
        request["files"] = draw(st.lists(uploads(), max_size=3))
    request["headers"] = draw(
        st.dictionaries(
            st.sampled_from(["Idempotency-Key", "If-Match", "If-None-Match", "Range", "Accept"]),
            st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=30),
            max_size=2,
        )
    )
    return request


@st.composite
def uploads(draw: st.DrawFn) -> UploadPart:
    """A file of a form."""
    field = draw(st.sampled_from(["photo", "photo", "first", "second", "name"]))
    data = draw(st.sampled_from([b"PHOTO", b"", b"\xff\xd8\xff\xe0"]) | st.binary(max_size=60))
    return UploadPart(field, draw(_BAD_TEXT), data)


def _as_text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def spoilable_site(stack: ExitStack, folder: Path) -> ServedTest:
    """A service with a gallery and an account, to send requests to, until ``stack`` ends."""
    site = stack.enter_context(served(open_service(folder, clustered_gallery(folder))))
    site.service.accounts.add("keeper", "a long password", "administer")
    return site


def running_service() -> tuple[ServedTest, bytes]:
    """Such a service until the process ends, and the bytes of a photo."""
    stack = ExitStack()
    atexit.register(stack.close)
    folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
    photo = write_photo(folder / "sent" / "a.png", [1], 5).read_bytes()
    return spoilable_site(stack, folder / "served"), photo


def answered_without_500(site: ServedTest, photo: bytes, request: dict[str, Any]) -> None:
    """Send ``request``; errors must be described, and never the service's."""
    headers = {**request["headers"], **_keeper(site)}
    options: dict[str, Any] = {}
    if "json" in request:
        text = json.dumps(request["json"]).encode("utf-8", "surrogatepass")
        options["content"] = text
        headers["Content-Type"] = "application/json"
    elif "files" in request:
        options["files"] = [
            (each.field, (each.name or "a", photo if each.data == b"PHOTO" else each.data))
            for each in request["files"]
        ]
    try:
        answer = site.client.request(
            request["method"], _url(request["path"]), params=request["query"], headers=headers,
            **options,
        )  # fmt: skip
    except UnicodeEncodeError:
        return  # the client cannot send it
    assert answer.status_code != 500, answer.text
    if answer.status_code >= 400:
        assert answer.headers["content-type"] == "application/problem+json"
        problem = answer.json()
        assert problem["status"] == answer.status_code and problem["detail"] and problem["action"]


def _url(path: str) -> str:
    return quote(path.encode("utf-8", "surrogatepass"), safe="/")


def _keeper(site: ServedTest) -> dict[str, str]:
    """The headers of who administers; another request may have revoked the last token."""
    return {"Authorization": f"Bearer {site.service.local_token}"}
