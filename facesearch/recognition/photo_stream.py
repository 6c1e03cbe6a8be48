"""The faces of many photos, one after another: what cannot be read is reported and ends nothing."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from pathlib import Path

from facesearch.embed import EmbedOptions, processed_photos
from facesearch.engine import FaceEngine
from facesearch.errors import InputError
from facesearch.images import DecodeTask, FoundPhoto, find_photos
from facesearch.images.file_access import absolute
from facesearch.recognition.identify import Probe, probe_of_faces
from facesearch.recognition.probes import ProbeFailure


def read_probes(
    engine: FaceEngine, paths: Iterable[Path], options: EmbedOptions
) -> Iterator[Probe | ProbeFailure]:
    """The faces of each photo of ``paths``, photos and folders of photos, in this order.

    Photos are decoded by worker processes within the limits of indexing. ``paths`` are read as they
    are needed. A path that is not there, and a photo that cannot be read, is a failure with its
    reason.
    """
    tasks = (DecodeTask(found) for path in paths for found in _found(absolute(path)))
    for outcome, faces in processed_photos(engine, tasks, options):
        if outcome.photo is None or faces is None:
            yield ProbeFailure(str(outcome.found.location), outcome.reason, outcome.detail)
        else:
            yield probe_of_faces(outcome.found.location, faces, outcome.photo.scale)


def _found(path: Path) -> Iterator[FoundPhoto]:
    if not os.path.lexists(path):
        yield FoundPhoto(path.parent, path.name, 0, 0, "there is no such file or folder")
        return
    try:
        yield from find_photos([path])
    except InputError as error:  # a gallery or a report
        yield FoundPhoto(path.parent, path.name, 0, 0, str(error))
