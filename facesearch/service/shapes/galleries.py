"""Galleries as they are sent."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from facesearch.service.shapes.common import Shape
from facesearch.service.shapes.jobs import JobView, Root


class ThresholdView(Shape):
    """The squared distance up to which a face is given a name, where it comes from, and the share
    of strangers that are given one, where that is known; ``text`` says it in words."""

    value: float
    source: str
    fpir: float | None
    text: str


class UndoView(Shape):
    """What an undo would take back."""

    batch: int
    text: str


class GallerySummary(Shape):
    """What a gallery holds. ``roots`` are its folders of photos, for who administers. ``people``
    and ``people_named`` leave out those who are hidden."""

    id: str
    title: str
    version: str
    photos: int
    photos_failed: int
    photos_without_faces: int
    faces: int
    faces_of_nobody: int
    people: int
    people_named: int
    people_hidden: int
    clustered_at: str | None
    faces_since_clustering: int
    outdated: str
    roots: list[str] | None
    encoder: str
    threshold: ThresholdView
    undo: UndoView | None


class GalleryList(Shape):
    """The galleries that are served; ``can_add`` is whether the caller may make more."""

    galleries: list[GallerySummary]
    can_add: bool


class NewGallery(Shape):
    """A gallery to be made: its name, and its folders of photos."""

    name: Annotated[str, Field(min_length=1, max_length=80)]
    roots: list[Root] = Field(default=[], max_length=100)


class CreatedGallery(Shape):
    """A gallery that was made, and the job that indexes its photos."""

    gallery: GallerySummary
    job: JobView | None


class ClusterView(Shape):
    """How the last clustering was made."""

    threshold: float | None
    threshold_from: str
    method: str


class SettingsView(Shape):
    """What decides who is named, in numbers and in words."""

    threshold: ThresholdView
    stranger_rate: float | None
    cluster: ClusterView | None
