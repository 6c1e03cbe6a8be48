"""Galleries: what they hold, by month and by folder."""

from __future__ import annotations

import os
from typing import Annotated

import numpy as np
from fastapi import Query, Response

from facesearch.album.build import outdated
from facesearch.recognition.calibration import ThresholdInUse
from facesearch.service.auth.roles import Caller
from facesearch.service.decisions.desk import undo_view
from facesearch.service.routes.access import (
    Administrator,
    RoleRouter,
    Served,
    Service,
    Snapshot,
    Viewer,
    person_of,
)
from facesearch.service.routes.jobs import require_folder
from facesearch.service.server.problems import missing
from facesearch.service.shapes.galleries import (
    ClusterView,
    CreatedGallery,
    GalleryList,
    GallerySummary,
    NewGallery,
    SettingsView,
    ThresholdView,
)
from facesearch.service.shapes.people import PersonKey
from facesearch.service.shapes.photos import (
    FolderList,
    FolderView,
    MonthView,
    TimelineView,
    UndatedView,
)
from facesearch.service.views.snapshot import GallerySnapshot

viewing = RoleRouter("view", "galleries")
administering = RoleRouter("administer", "galleries")
ROUTERS = (viewing, administering)

FolderPath = Annotated[str, Query(max_length=4096)]


@viewing.get("/galleries")
def list_galleries(service: Service, caller: Viewer) -> GalleryList:
    """All galleries that are served."""
    summaries = [_summary(each.id, each.snapshot(), caller) for each in service.galleries]
    can_add = service.registry.can_add and caller.may("administer")
    return GalleryList(galleries=summaries, can_add=can_add)


@administering.post("/galleries", status_code=201)
def create_gallery(
    response: Response, service: Service, caller: Administrator, body: NewGallery
) -> CreatedGallery:
    """Make a gallery in the folder that the service was given for new galleries, serve it, and
    begin to index its folders of photos.

    A gallery of this name that is there, and is not served, is served again.
    """
    for root in body.roots:
        require_folder(root)
    served = service.create_gallery(body.name, caller.name)
    response.headers["Location"] = f"galleries/{served.id}"
    job = None
    if body.roots:
        added = service.jobs.add(served.id, "index", caller.name, {"roots": body.roots})
        job = service.job_view(added, caller.role)
    return CreatedGallery(gallery=_summary(served.id, served.snapshot(), caller), job=job)


@administering.delete("/galleries/{gallery}", status_code=204)
def remove_gallery(service: Service, served: Served) -> None:
    """Serve a gallery no longer that was made here. Its files stay."""
    service.remove_gallery(served.id)


@viewing.get("/galleries/{gallery}")
def show_gallery(served: Served, snapshot: Snapshot, caller: Viewer) -> GallerySummary:
    """What a gallery holds."""
    return _summary(served.id, snapshot, caller)


@viewing.get("/galleries/{gallery}/settings")
def show_settings(snapshot: Snapshot) -> SettingsView:
    """By what faces are named and grouped."""
    threshold = _threshold(snapshot)
    run = snapshot.run
    return SettingsView(
        threshold=threshold,
        stranger_rate=threshold.fpir,
        cluster=None
        if run is None
        else ClusterView(
            threshold=run.threshold, threshold_from=run.how.threshold_from, method=run.method
        ),
    )


@viewing.get("/galleries/{gallery}/timeline")
def show_timeline(
    snapshot: Snapshot, person: Annotated[PersonKey | None, Query()] = None
) -> TimelineView:
    """How many photos, and faces, there are of each month."""
    photos = snapshot.photos
    rows, faces = _photos_and_faces(snapshot, person)
    months, codes = photos.by_month
    of_month = _counted(codes[rows], faces[rows], months)
    undated = of_month.pop("", (0, 0))
    return TimelineView(
        months=[
            MonthView(month=month, photos=there, faces=shown)
            for month, (there, shown) in of_month.items()
        ],
        undated=UndatedView(photos=undated[0], faces=undated[1]),
    )


def _counted(codes: np.ndarray, faces: np.ndarray, names: list[str]) -> dict[str, tuple[int, int]]:
    """Of each of ``names`` that photos with ``codes`` have: how many photos, and how many faces."""
    photos = np.bincount(codes, minlength=len(names))
    shown = np.bincount(codes, faces, len(names)).astype(np.int64)
    return {
        name: (there, count)
        for name, there, count in zip(names, photos.tolist(), shown.tolist(), strict=True)
        if there
    }


@viewing.get("/galleries/{gallery}/folders")
def show_folders(
    snapshot: Snapshot,
    under: FolderPath = "",
    person: Annotated[PersonKey | None, Query()] = None,
) -> FolderList:
    """The folders in a folder."""
    photos = snapshot.photos
    rows, faces = _photos_and_faces(snapshot, person)
    prefix = f"{under}/" if under else ""
    counts: dict[str, list[int]] = {}
    below: dict[str, set[str]] = {}
    here = 0
    folders, codes = photos.by_folder
    for folder, (there, shown) in _counted(codes[rows], faces[rows], folders).items():
        if folder == under:
            here += there
            continue
        if not folder.startswith(prefix):
            continue
        name, _, rest = folder[len(prefix) :].partition("/")
        found = counts.setdefault(name, [0, 0])
        found[0] += there
        found[1] += shown
        if rest:
            below.setdefault(name, set()).add(rest.partition("/")[0])
    if under and not here and not counts:
        raise missing("no-such-folder", "such folder in this gallery")
    return FolderList(
        folder=under,
        folders=[
            FolderView(
                path=prefix + name,
                name=name,
                photos=count[0],
                faces=count[1],
                folders=len(below.get(name, ())),
            )
            for name, count in sorted(counts.items())
        ],
        photos=here,
    )


def _photos_and_faces(snapshot: GallerySnapshot, key: str | None) -> tuple[np.ndarray, np.ndarray]:
    """Rows of all photos, or of those that a person is in; and how many faces, theirs alone, are
    in each photo there is."""
    if key is None:
        return np.arange(len(snapshot.photos)), snapshot.photos.faces
    rows = snapshot.photo_of_face_rows(snapshot.faces_of(person_of(snapshot, key).id))
    counts = np.bincount(rows, minlength=len(snapshot.photos))
    return np.flatnonzero(counts), counts


def _summary(gallery_id: str, snapshot: GallerySnapshot, caller: Caller) -> GallerySummary:
    view, state = snapshot.view, snapshot.view.state
    run = snapshot.run
    people = [row for row in snapshot.rows if row.faces]
    return GallerySummary(
        id=gallery_id,
        title=view.gallery.folder.resolve().name.removesuffix(".gallery"),
        version=snapshot.version,
        photos=len(state.photos) - state.count("gone"),
        photos_failed=state.count("failed"),
        photos_without_faces=int((snapshot.photos.faces == 0).sum()),
        faces=len(snapshot.faces),
        faces_of_nobody=len(snapshot.faces_of_label(-1)),
        people=sum(not row.person.hidden for row in people),
        people_named=sum(
            row.person.name is not None and not row.person.hidden for row in people
        ),
        people_hidden=sum(row.person.hidden for row in people),
        clustered_at=None if run is None else run.created_at,
        faces_since_clustering=snapshot.unclustered,
        outdated="" if run is None else _sentence(outdated(view.gallery, snapshot.unclustered)),
        roots=[os.fsdecode(root).encode("utf-8", "replace").decode() for root in
               snapshot.photos.roots] if caller.may("administer") else None,
        encoder=view.gallery.contract.name,
        threshold=_threshold(snapshot),
        undo=undo_view(snapshot),
    )  # fmt: skip


def _sentence(text: str) -> str:
    """What is outdated, without the command, which the page has a button for."""
    return text.partition("; run:")[0]


def _threshold(snapshot: GallerySnapshot) -> ThresholdView:
    in_use = snapshot.threshold
    return ThresholdView(
        value=in_use.value,
        source=in_use.source,
        fpir=in_use.fpir,
        text=threshold_text(in_use),
    )


def threshold_text(in_use: ThresholdInUse) -> str:
    """How often a stranger is given a name, in words."""
    if in_use.fpir is None:
        return "How many strangers are given a name is not known: few people are named here yet."
    share = 100 * in_use.fpir
    number = f"{share:.0f}" if share >= 1 else f"{share:.2g}"
    stale = (
        " This was learnt when fewer people had names." if in_use.source != "calibration" else ""
    )
    return f"Of 100 strangers about {number} would be given a name.{stale}"
