"""What each kind of job does, by the functions that commands call too."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from facesearch.service.jobs.job import JobProgress
from facesearch.text import count

if TYPE_CHECKING:
    from facesearch.embed import EmbedReport

Report = Callable[[JobProgress], None]
Result = Mapping[str, Any]


@dataclass(frozen=True)
class JobRequest:
    """What is asked of the gallery in a folder, by whom, and what names the ``request``."""

    gallery: str
    kind: str
    by: str
    arguments: Mapping[str, Any]
    request: str

    @property
    def folder(self) -> Path:
        """Of the gallery."""
        return Path(self.gallery)


def do_work(request: JobRequest, report: Report) -> Result:
    """Do one job, and say what came of it; raises as the function of its kind does."""
    kinds: Mapping[str, Callable[[JobRequest, Report], Result]] = {
        "index": _index,
        "cluster": _cluster,
        "report": _report,
        "upgrade": _upgrade,
        "calibrate": _calibrate,
        "enrol": _enrol,
        "enrol-folders": _enrol_folders,
        "forget": _forget,
        "suggest": _suggest,
    }
    return kinds[request.kind](request, report)


def _index(request: JobRequest, report: Report) -> Result:
    from facesearch.api.indexing import index_photos

    roots = [Path(root) for root in request.arguments["roots"]]

    def progress(photos: EmbedReport, total: int) -> None:
        failed = f", {photos.failed} failed" if photos.failed else ""
        text = f"{photos.done:,} of {count(total, 'photo')}, {count(photos.faces, 'face')}{failed}"
        report(JobProgress(photos.done, total, "photos", text))

    done = index_photos(roots, request.folder, progress=progress)
    photos = done.photos
    return {
        "photos": photos.found,
        "new": photos.embedded,
        "known": photos.known,
        "failed": photos.failed,
        "gone": photos.gone,
        "faces": photos.faces,
        "faces_in_gallery": done.face_count,
    }


def _cluster(request: JobRequest, report: Report) -> Result:
    from facesearch.api.clustering import cluster_gallery
    from facesearch.clustering.options import ClusterOptions
    from facesearch.gallery.gallery import Gallery

    report(JobProgress(0, 0, "", "comparing faces"))
    gallery = Gallery.open(request.folder)
    asked = {name: each for name, each in request.arguments.items() if each is not None}
    options = ClusterOptions.for_gallery(gallery, **asked)
    run = cluster_gallery(gallery, options)
    return {
        "people": run.clustering.count,
        "faces": len(run.clustering.ids),
        "method": run.method,
        "threshold": run.threshold,
        "contradictions": list(run.contradictions),
    }


def _report(request: JobRequest, report: Report) -> Result:
    from facesearch.api.clustering import gallery_album, write_report

    report(JobProgress(0, 0, "photos", "looking at the album"))

    def progress(done: int, total: int) -> None:
        report(JobProgress(done, total, "photos", f"{done:,} of {count(total, 'photo')} read"))

    album = gallery_album(request.folder)
    write_report(album, progress=progress)
    return {"people": len(album.people), "faces": album.face_count}


def _upgrade(request: JobRequest, report: Report) -> Result:
    from facesearch.api.upgrading import upgrade_gallery
    from facesearch.gallery.gallery import Gallery

    def progress(done: int, total: int) -> None:
        report(JobProgress(done, total, "faces", f"{done:,} of {count(total, 'face')} embedded"))

    report(JobProgress(0, 0, "faces", "loading the encoder"))
    done = upgrade_gallery(
        request.folder,
        request.arguments.get("encoder"),
        drop_unreadable=bool(request.arguments.get("drop_unreadable")),
        progress=progress,
    )
    return {"encoder": Gallery.open(request.folder).contract.name, "faces": done.faces}


def _calibrate(request: JobRequest, report: Report) -> Result:
    from facesearch.api.people import calibrate

    report(JobProgress(0, 0, "", "comparing people"))
    learnt = calibrate(request.folder, float(request.arguments.get("fpir", 0.01)))
    return {
        "threshold": learnt.result.threshold,
        "fpir": learnt.result.fpir,
        "people": learnt.people,
        "clusters": learnt.clusters,
    }


def _enrol(request: JobRequest, report: Report) -> Result:
    from facesearch.api.arguments import to_engine
    from facesearch.curation.enroll import enroll
    from facesearch.engine_options import DEFAULT_ENGINE
    from facesearch.errors import InputError
    from facesearch.gallery.gallery import Gallery
    from facesearch.people.ledger import DecisionAuthor
    from facesearch.search.gallery_index import refresh_index

    gallery = Gallery.open(request.folder)
    photos = [Path(photo) for photo in request.arguments["photos"]]
    if not photos:
        raise InputError("expected photos, got none; send one or more")
    report(JobProgress(0, len(photos), "photos", "loading the encoder"))
    engine = to_engine(DEFAULT_ENGINE, gallery.contract)
    author = DecisionAuthor(request.by, request.request)
    enrolment = enroll(gallery, engine, str(request.arguments["name"]), photos, author)
    refresh_index(gallery)
    return {
        "enrolled": sum(each.face is not None for each in enrolment.photos),
        "problems": [
            {"photo": place, "problem": each.problem}
            for place, each in enumerate(enrolment.photos)
            if each.problem
        ],
    }


def _enrol_folders(request: JobRequest, report: Report) -> Result:
    from facesearch.api.arguments import to_engine
    from facesearch.curation.enroll import enroll_folders
    from facesearch.embed import EmbedOptions
    from facesearch.engine_options import DEFAULT_ENGINE
    from facesearch.gallery.gallery import Gallery
    from facesearch.people.ledger import DecisionAuthor
    from facesearch.search.gallery_index import refresh_index

    gallery = Gallery.open(request.folder)
    report(JobProgress(0, 0, "photos", "loading the encoder"))
    options = EmbedOptions.for_cores()
    engine = to_engine(DEFAULT_ENGINE, gallery.contract, callers=max(1, options.threads))

    def progress(photos: EmbedReport, total: int) -> None:
        text = f"{photos.done:,} of {count(total, 'photo')}, {count(photos.faces, 'face')}"
        report(JobProgress(photos.done, total, "photos", text))

    author = DecisionAuthor(request.by, request.request)
    folder = Path(request.arguments["folder"])
    enrolment = enroll_folders(gallery, engine, folder, options, progress, author=author)
    refresh_index(gallery)
    enrolled = [each for each in enrolment.photos if each.face is not None]
    return {
        "people": len({each.name for each in enrolled}),
        "enrolled": len(enrolled),
        "problems": len(enrolment.photos) - len(enrolled),
    }


def _forget(request: JobRequest, report: Report) -> Result:
    import numpy as np

    from facesearch.erasure.forget import SelectedFaces, forget
    from facesearch.gallery.gallery import Gallery

    report(JobProgress(0, 0, "faces", "deleting"))
    # Those who were meant when it was asked for, whoever has their names by now.
    faces = np.array(request.arguments["faces"], np.int64)
    numbers = tuple(int(number) for number in request.arguments["people"])
    done = forget(Gallery.open(request.folder), SelectedFaces(faces, numbers=numbers))
    return {
        "faces": done.faces,
        "named": done.named,
        "sidecars": len(done.sidecars),
        "elsewhere": len(done.elsewhere),
        "receipt": Path(done.receipt).name if done.receipt else None,
        "left": len(done.found),
    }


def _suggest(request: JobRequest, report: Report) -> Result:
    """Corrections to look at: far too much memory for the service, where a gallery is large."""
    from facesearch.curation.people_reader import PeopleReader
    from facesearch.curation.suggestions import suggestions
    from facesearch.gallery.gallery import Gallery

    gallery = Gallery.open(request.folder)
    state = gallery.state()
    found = suggestions(gallery, state, PeopleReader(gallery, state))
    return {
        "suggestions": [
            {
                "kind": each.kind,
                "person": each.person.id,
                "other": each.other.id if each.other else None,
                "faces": list(each.faces),
                "probability": each.probability,
                "later": each.later,
            }
            for each in found
        ]
    }
