"""The nearest faces of very many probes, in bounded memory, by a job that may be killed."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from facesearch.clustering.current_people import gallery_people
from facesearch.errors import InputError
from facesearch.gallery.gallery import Gallery, GalleryState
from facesearch.gallery.records import FaceRecord
from facesearch.recognition.match_writers import MatchRow, join_parts, match_format
from facesearch.recognition.photo_stream import ProbeFailure
from facesearch.recognition.probes import NO_FACE, ProbeFace, ProbePart, Probes
from facesearch.recognition.resumable_parts import ResumableOutput
from facesearch.search.gallery_index import open_search
from indexer.id_lookup import distinct
from indexer.types import MAX_NEIGHBOURS, Neighbours

# Matches of a part, which are in memory together and lost together if the job is killed.
_PART_MATCHES = 1 << 17
_PART_PROBES = {"photos": 512, "faces": 8192}
_FACES_A_PHOTO = 4  # allowed for in parts of photos

Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class BatchReport:
    """What is in ``out``: ``probes`` photos or faces asked about, ``faces`` of them searched.

    Videos count as photos, and their tracks as faces. ``failed`` photos could not be read and
    ``without_face`` show none; each has a row.
    """

    out: Path
    unit: str
    probes: int
    faces: int
    matches: int
    failed: int
    without_face: int


def search_batch(
    gallery: Gallery,
    probes: Probes,
    out: Path,
    k: int = 10,
    progress: Progress = lambda done, total: None,
    *,
    device: str = "auto",
) -> BatchReport:
    """Write the ``k`` nearest gallery faces of every face of ``probes`` to the new file ``out``.

    The name of ``out`` says its format (:func:`match_format`). A job that
    was killed goes on after the last part it finished, if nothing changed: gallery, names, probes,
    k and, where answers depend on it, the index. ``progress`` is called with the probes done and
    their total. ``device`` is that of the search, as :mod:`indexer.runtime.devices` names it;
    answers do not depend on it.

    Raises InputError where ``out`` exists, for an unknown format, a gallery without faces or k out
    of range; BusyGalleryError while another process writes the same output.
    """
    encode = match_format(out)
    if out.exists():
        raise InputError(f"{out} exists; name another output, or delete it first")
    if not out.parent.is_dir():
        raise InputError(f"expected a folder for the output, found none at {out.parent}")
    if not 1 <= k <= MAX_NEIGHBOURS:
        raise InputError(f"expected k of 1 to {MAX_NEIGHBOURS}, got {k}; ask for fewer matches")
    state = gallery.state()
    if not state.face_count:
        raise InputError(f"the gallery {gallery.folder} has no faces to search")
    search = _Search(gallery, state, k, device)
    size = _part_probes(probes.unit, k)
    job = {"gallery": search.digest(), "probes": probes.digest(size), "k": k}
    with ResumableOutput.open(out, {**job, "format": out.suffix.lower()}) as parts:
        done = len(parts.paths())
        read = sum(each["probes"] for each in parts.counts())
        progress(read, len(probes))
        for number, part in enumerate(probes.parts(size, done), done):
            rows = list(search.rows(part))
            parts.add(encode(rows, number), _counts(part, rows))
            read += part.probes
            progress(read, len(probes))
        if not len(probes) and not parts.paths():  # nothing found is an answer too
            parts.add(encode([], 0), _counts(None, []))
        counts = parts.counts()
        join_parts(parts.paths(), out)
        parts.remove()
    return BatchReport(
        out, probes.unit, **{name: sum(each[name] for each in counts) for name in counts[0]}
    )


class _Search:
    """One gallery, searched part after part by an index that is loaded once."""

    def __init__(self, gallery: Gallery, state: GalleryState, k: int, device: str) -> None:
        self._gallery = gallery
        self._state = state
        self._k = min(k, state.face_count)
        self._searcher = open_search(gallery, state, device)
        self._names = gallery_people(gallery, state).face_names()

    def digest(self) -> str:
        """Names everything of the gallery that the answers depend on."""
        index = self._searcher.approximate  # which decides what is found
        described = (
            self._state.digest(),
            sorted(self._gallery.shard_digests().items()),
            sorted(self._names.items()),
            None if index is None else (index.sha256, sorted(index.parameters.items())),
        )
        return hashlib.sha256(repr(described).encode()).hexdigest()

    def rows(self, part: ProbePart) -> Iterator[MatchRow]:
        """The matches of every face of a part, nearest first, and its failures, in its order."""
        found = self._searcher.search(part.vectors, self._k)
        ids = distinct(found.ids[found.ids >= 0])
        records = dict(zip(ids.tolist(), self._gallery.faces(ids, self._state), strict=True))
        row = 0
        for entry in part.entries:
            if isinstance(entry, ProbeFailure):
                yield MatchRow(entry.photo, reason=entry.reason, detail=entry.detail)
            else:
                yield from self._matches(entry, found, row, records)
                row += 1

    def _matches(
        self, face: ProbeFace, found: Neighbours, row: int, records: dict[int, FaceRecord]
    ) -> Iterator[MatchRow]:
        x0, y0, x1, y1 = face.box
        asked = face.span
        pairs = zip(found.ids[row].tolist(), found.distances[row].tolist(), strict=True)
        for rank, (face_id, distance) in enumerate(pairs, 1):
            if face_id < 0:  # an approximate index may find fewer
                break
            span = records[face_id].span
            known = self._names.get(face_id)
            yield MatchRow(
                probe=face.photo,
                face=face.face,
                x0=x0,
                y0=y0,
                x1=x1,
                y1=y1,
                quality=None if math.isnan(face.quality) else face.quality,
                rank=rank,
                distance=distance,
                match_face=face_id,
                match_photo=str(records[face_id].photo.location),
                person=None if known is None else known.name,
                confirmed=None if known is None else known.confirmed,
                confidence=None if known is None else round(known.confidence, 4),
                match_start=None if span is None else span.start,
                match_end=None if span is None else span.end,
                probe_start=None if asked is None else asked.start,
                probe_end=None if asked is None else asked.end,
            )


def _part_probes(unit: str, k: int) -> int:
    """Probes of a part, whose matches are in memory together."""
    faces = 1 if unit == "faces" else _FACES_A_PHOTO
    return max(1, min(_PART_PROBES[unit], _PART_MATCHES // (k * faces)))


def _counts(part: ProbePart | None, rows: list[MatchRow]) -> dict[str, int]:
    reasons = [row.reason for row in rows if row.reason]
    return {
        "probes": part.probes if part else 0,
        "faces": len(part.vectors) if part else 0,
        "matches": len(rows) - len(reasons),
        "failed": sum(reason != NO_FACE for reason in reasons),
        "without_face": reasons.count(NO_FACE),
    }
