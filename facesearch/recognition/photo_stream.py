"""The faces of many photos and videos, one after another: what cannot be read ends nothing."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import groupby

from facesearch.embed_stages import EmbedOptions, processed_photos, video_reading
from facesearch.engine import FaceEngine
from facesearch.errors import PhotoError
from facesearch.images import DecodeTask, FoundPhoto
from facesearch.recognition.identify import Probe, probe_of_faces, probe_of_video


@dataclass(frozen=True)
class ProbeFailure:
    """A photo or video that no face can be asked about of, and why."""

    photo: str
    reason: str
    detail: str


def probes_of(
    engine: FaceEngine, found: Iterable[FoundPhoto], options: EmbedOptions
) -> Iterator[Probe | ProbeFailure]:
    """The faces of each of ``found``, photos and videos, one answer for each, in this order.

    Photos are decoded by worker processes, and videos by one, within the limits of indexing.
    ``found`` are looked for as they are needed. What cannot be read is a failure with its reason.
    """
    for are_videos, some in groupby(found, key=lambda each: each.video):
        if are_videos:
            yield from (_of_video(engine, each, options) for each in some)
        else:
            yield from _of_photos(engine, some, options)


def _of_photos(
    engine: FaceEngine, found: Iterable[FoundPhoto], options: EmbedOptions
) -> Iterator[Probe | ProbeFailure]:
    for outcome, faces in processed_photos(engine, map(DecodeTask, found), options):
        if outcome.photo is None or faces is None:
            yield ProbeFailure(str(outcome.found.location), outcome.reason, outcome.detail)
        else:
            yield probe_of_faces(outcome.found.location, faces, outcome.photo.scale)


def _of_video(engine: FaceEngine, found: FoundPhoto, options: EmbedOptions) -> Probe | ProbeFailure:
    location = found.location
    if found.error:
        return ProbeFailure(str(location), "unreadable", found.error)
    try:
        return probe_of_video(engine, location, video_reading(options))
    except PhotoError as error:
        return ProbeFailure(str(location), error.reason, error.detail)
