"""A client of the service: each method is an address, and gives what that answers, with types."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, TypeVar

from facesearch.service.shapes.access import LoginState, MadeToken
from facesearch.service.shapes.common import Shape
from facesearch.service.shapes.decisions import (
    DecisionPage,
    DecisionResult,
    DrawnFaceResult,
    SuggestionPage,
    UndoPreviewView,
)
from facesearch.service.shapes.galleries import CreatedGallery, GalleryList, GallerySummary
from facesearch.service.shapes.jobs import ForgetPreview, JobView
from facesearch.service.shapes.people import NearPeople, PersonDetail, PersonPage, PersonSummary
from facesearch.service.shapes.photos import (
    FacePage,
    FaceSummary,
    PhotoDetail,
    PhotoPage,
)
from facesearch.service.shapes.search import (
    IdentifiedPhoto,
    IdentifyResult,
    SearchResult,
    VerifyResult,
)
from facesearch.service.transport import ServiceProblemError, ServiceTransport, UploadPart

__all__ = ["GalleryClient", "ServiceClient", "ServiceProblemError"]

Answer = TypeVar("Answer", bound=Shape)
Photo = Path | bytes
_PAUSE = 0.05


class ServiceClient:
    """A service as one who has a token, or a login, may use it."""

    def __init__(self, url: str, token: str | None = None, seconds: float = 60.0) -> None:
        self.transport = ServiceTransport(url, token, seconds)

    def login(self, name: str, password: str) -> LoginState:
        """Log in as a page does; later requests belong to that session."""
        answer = self.transport.send(
            "POST", "auth/login", body={"name": name, "password": password}
        )
        state = LoginState.model_validate_json(answer.body)
        cookie = answer.headers["set-cookie"].partition(";")[0]
        self.transport.headers |= {"Cookie": cookie, "X-CSRF-Token": state.csrf or ""}
        return state

    def be_local(self) -> LoginState:
        """Be whoever is at the machine of the service, where nobody has to log in."""
        state = self.ask(LoginState, "GET", "auth")
        self.transport.headers["X-CSRF-Token"] = state.csrf or ""
        return state

    def galleries(self) -> list[GallerySummary]:
        """All galleries."""
        return self.ask(GalleryList, "GET", "galleries").galleries

    def gallery(self, gallery: str) -> GalleryClient:
        """One of them."""
        return GalleryClient(self, gallery)

    def create_gallery(self, name: str, roots: Sequence[str] = ()) -> CreatedGallery:
        """Make a gallery where the service may, and index its folders of photos."""
        body = {"name": name, "roots": list(roots)}
        return self.ask(CreatedGallery, "POST", "galleries", body=body)

    def remove_gallery(self, gallery: str) -> None:
        """Let a gallery that was made so be served no longer; its files stay."""
        self.transport.send("DELETE", f"galleries/{gallery}")

    def make_token(self, label: str, role: str, days: float | None = None) -> MadeToken:
        """A new token."""
        body = {"label": label, "role": role, "expires_in_days": days}
        return self.ask(MadeToken, "POST", "tokens", body=body)

    def job(self, job: str) -> JobView:
        """A job as it is now."""
        return self.ask(JobView, "GET", f"jobs/{job}")

    def cancel(self, job: str) -> JobView:
        """Cancel a job."""
        return self.ask(JobView, "POST", f"jobs/{job}/cancel")

    def wait(self, job: str, seconds: float = 600.0) -> JobView:
        """A job when it has ended; raises TimeoutError."""
        deadline = time.monotonic() + seconds
        while (found := self.job(job)).state in ("waiting", "running"):
            if time.monotonic() > deadline:
                raise TimeoutError(f"job {job} is {found.state} after {seconds:g} s")
            time.sleep(_PAUSE)
        return found

    def ask(self, shape: type[Answer], method: str, path: str, **options: Any) -> Answer:
        """What an address answers, as ``shape`` has it."""
        answer = self.transport.send(method, path, **options)
        return shape.model_validate_json(answer.body)


class GalleryClient:
    """A gallery of a service."""

    def __init__(self, service: ServiceClient, gallery: str) -> None:
        self._service = service
        self._base = f"galleries/{gallery}"

    def summary(self) -> GallerySummary:
        """What it holds."""
        return self._ask(GallerySummary, "GET", "")

    def people(self, **query: Any) -> PersonPage:
        """A page of people."""
        return self._ask(PersonPage, "GET", "/people", query=query)

    def all_people(self, **query: Any) -> Iterator[PersonSummary]:
        """All people, page after page."""
        cursor: str | None = None
        while True:
            page = self.people(**query, cursor=cursor)
            yield from page.people
            cursor = page.next
            if cursor is None:
                return

    def person(self, person: str) -> PersonDetail:
        """One person."""
        return self._ask(PersonDetail, "GET", f"/people/{person}")

    def similar(self, person: str) -> NearPeople:
        """Who resembles a person."""
        return self._ask(NearPeople, "GET", f"/people/{person}/similar")

    def faces_of(self, person: str, **query: Any) -> FacePage:
        """A page of a person's faces."""
        return self._ask(FacePage, "GET", f"/people/{person}/faces", query=query)

    def face(self, face: int) -> FaceSummary:
        """One face."""
        return self._ask(FaceSummary, "GET", f"/faces/{face}")

    def candidates(self, face: int) -> NearPeople:
        """Who a face may be."""
        return self._ask(NearPeople, "GET", f"/faces/{face}/candidates")

    def crop(self, face: int, size: int = 160) -> bytes:
        """The JPEG of a face."""
        path = f"{self._base}/faces/{face}/crop"
        return self._service.transport.send("GET", path, query={"size": size}).body

    def photos(self, **query: Any) -> PhotoPage:
        """A page of photos."""
        return self._ask(PhotoPage, "GET", "/photos", query=query)

    def photo(self, photo: int) -> PhotoDetail:
        """One photo with its faces."""
        return self._ask(PhotoDetail, "GET", f"/photos/{photo}")

    def original(self, photo: int, first: int = 0, last: int | None = None) -> bytes:
        """The bytes of a photo's or video's file from ``first`` to ``last``, by default all."""
        headers = {"Range": f"bytes={first}-{'' if last is None else last}"}
        path = f"{self._base}/photos/{photo}/original"
        return self._service.transport.send("GET", path, headers=headers).body

    def search(self, photo: Photo, k: int = 10) -> SearchResult:
        """The faces nearest to those of a photo."""
        return self._ask(
            SearchResult, "POST", "/search", query={"k": k}, files=[_part("photo", photo)]
        )

    def identify(self, photos: Sequence[Photo], threshold: float | None = None) -> IdentifyResult:
        """Who is in photos."""
        return self._ask(
            IdentifyResult,
            "POST",
            "/identify",
            query={"threshold": threshold},
            files=[_part("photo", photo) for photo in photos],
        )

    def identify_folder(self, folder: str, threshold: float | None = None) -> list[IdentifiedPhoto]:
        """Who is in each photo of a folder on the machine of the service."""
        path = f"{self._base}/identify-folder"
        body = {"folder": folder, "threshold": threshold}
        lines = self._service.transport.send("POST", path, body=body).body.splitlines()
        return [IdentifiedPhoto.model_validate_json(line) for line in lines]

    def verify(self, first: Photo, second: Photo, threshold: float | None = None) -> VerifyResult:
        """Whether two photos show one person."""
        return self._ask(
            VerifyResult,
            "POST",
            "/verify",
            query={"threshold": threshold},
            files=[_part("first", first), _part("second", second)],
        )

    def name(self, person: str, name: str, key: str | None = None) -> DecisionResult:
        """Name a person; ``key`` is sent again with the same request, if that must be."""
        return self._decide(f"/people/{person}/name", {"name": name}, key)

    def merge(self, person: str, others: Sequence[str], key: str | None = None) -> DecisionResult:
        """Say that others are this person."""
        return self._decide(f"/people/{person}/merge", {"others": list(others)}, key)

    def split(
        self,
        person: str,
        faces: Sequence[int],
        name: str | None = None,
        key: str | None = None,
    ) -> DecisionResult:
        """Move faces to a new person."""
        body = {"faces": list(map(str, faces)), "name": name}
        return self._decide(f"/people/{person}/split", body, key)

    def add(self, person: str, faces: Sequence[int], key: str | None = None) -> DecisionResult:
        """Assign faces to a person."""
        return self._decide(f"/people/{person}/add", {"faces": list(map(str, faces))}, key)

    def reject(self, person: str, faces: Sequence[int], key: str | None = None) -> DecisionResult:
        """Say that faces are not this person."""
        return self._decide(f"/people/{person}/reject", {"faces": list(map(str, faces))}, key)

    def confirm(
        self, person: str, faces: Sequence[int] | None = None, key: str | None = None
    ) -> DecisionResult:
        """Say that faces of a person, by default all, are right."""
        body = {"faces": None if faces is None else list(map(str, faces))}
        return self._decide(f"/people/{person}/confirm", body, key)

    def hide(self, person: str, hidden: bool = True, key: str | None = None) -> DecisionResult:
        """Hide a person, or show them again."""
        return self._decide(f"/people/{person}/{'hide' if hidden else 'unhide'}", None, key)

    def make_person(
        self, faces: Sequence[int], name: str | None = None, key: str | None = None
    ) -> DecisionResult:
        """A new person of faces."""
        return self._decide("/people", {"faces": list(map(str, faces)), "name": name}, key)

    def separate(self, person: str, other: str, key: str | None = None) -> DecisionResult:
        """Say that two people are two."""
        return self._decide(f"/people/{person}/separate", {"other": other}, key)

    def discard(self, faces: Sequence[int], key: str | None = None) -> DecisionResult:
        """Say that faces are none."""
        return self._decide("/faces/not-a-face", {"faces": list(map(str, faces))}, key)

    def draw(
        self,
        photo: int,
        box: Sequence[float],
        person: str | None = None,
        name: str | None = None,
    ) -> DrawnFaceResult:
        """Add a face that was missed."""
        body = {"box": list(box), "person": person, "name": name}
        return self._ask(DrawnFaceResult, "POST", f"/photos/{photo}/faces", body=body)

    def undo(self, batch: int | None = None, key: str | None = None) -> DecisionResult:
        """Take back what was decided last."""
        return self._decide("/undo", {"batch": batch}, key)

    def undo_preview(self) -> UndoPreviewView:
        """What an undo would take back."""
        return self._ask(UndoPreviewView, "GET", "/undo")

    def history(self, **query: Any) -> DecisionPage:
        """A page of the ledger."""
        return self._ask(DecisionPage, "GET", "/history", query=query)

    def suggestions(self, **query: Any) -> SuggestionPage:
        """A page of suggestions."""
        return self._ask(SuggestionPage, "GET", "/suggestions", query=query)

    def answer(
        self, suggestion: str, answer: Literal["yes", "no", "later", "not-a-face"]
    ) -> DecisionResult:
        """Answer a suggestion."""
        return self._decide(f"/suggestions/{suggestion}", {"answer": answer}, None)

    def start_job(self, kind: str, **arguments: Any) -> JobView:
        """Start a job."""
        return self._ask(JobView, "POST", "/jobs", body={"kind": kind, **arguments})

    def enrol(self, name: str, photos: Sequence[Photo]) -> JobView:
        """Give a name to the largest face of each photo."""
        files = [_part("photo", photo) for photo in photos]
        return self._ask(JobView, "POST", "/enrol", form={"name": name}, files=files)

    def forget_preview(self, **what: Any) -> ForgetPreview:
        """What would be deleted; its ``digest`` is for :meth:`forget`."""
        return self._ask(ForgetPreview, "POST", "/forget", body={**what, "dry_run": True})

    def forget(self, **what: Any) -> JobView:
        """Delete faces for good."""
        return self._ask(JobView, "POST", "/forget", body={**what, "dry_run": False})

    def _decide(self, path: str, body: Mapping[str, Any] | None, key: str | None) -> DecisionResult:
        headers = {} if key is None else {"Idempotency-Key": key}
        return self._ask(DecisionResult, "POST", path, body=body, headers=headers)

    def _ask(self, shape: type[Answer], method: str, path: str, **options: Any) -> Answer:
        return self._service.ask(shape, method, f"{self._base}{path}", **options)


def _part(field: str, photo: Photo) -> UploadPart:
    if isinstance(photo, bytes):
        return UploadPart(field, "photo", photo)
    return UploadPart(field, photo.name, photo.read_bytes())
