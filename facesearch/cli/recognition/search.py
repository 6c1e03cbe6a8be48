"""``search``, ``identify`` and ``verify``: compare the faces of a photo with others."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from facesearch.cli.by_service import ask_service
from facesearch.cli.engine_options import (
    add_engine_options,
    add_search_device,
    engine_options,
    positive_int,
    squared_distance,
)
from facesearch.cli.output import (
    box_text,
    counting_progress,
    print_facts,
    print_json,
    print_json_line,
    print_table,
)
from facesearch.cli.photo_lists import are_many, photo_paths
from facesearch.text import count, printable

if TYPE_CHECKING:
    from facesearch.recognition.documents import Document

PROBES_HELP = (
    'photos, videos or folders of them; "-" reads their paths from standard input, one a line'
)
_FROM = {
    "given": "as given",
    "calibration": "calibrated",
    "stale calibration": "calibrated, but stale: run facesearch calibrate",
    "encoder": "the encoder's default, as too few people are known here to calibrate",
}


def add_commands(commands: Any) -> None:
    """Add the three commands."""
    search = commands.add_parser(
        "search", help="find the faces of the gallery that are nearest to those of a photo or video"
    )
    search.add_argument("gallery", type=Path, metavar="GALLERY", help="folder of the gallery")
    search.add_argument(
        "photo",
        nargs="?",
        type=Path,
        metavar="PHOTO",
        help="photo or video whose faces are compared",
    )
    search.add_argument(
        "-k", type=positive_int, default=10, help="matches for each face (default: 10)"
    )
    search.add_argument(
        "--probes",
        type=Path,
        metavar="DIR",
        help="search for all faces of a folder of photos and videos, of another gallery, or of a "
        "folder of shards, instead of PHOTO; an interrupted job continues",
    )
    search.add_argument(
        "--out",
        type=Path,
        metavar="FILE",
        help="new file for the matches of --probes: *.jsonl or *.csv",
    )
    add_search_device(search)
    search.add_argument("--quiet", action="store_true", help="show no progress bar")
    search.set_defaults(run=run_search)

    identify = commands.add_parser(
        "identify",
        help="name the people in photos and videos, if they are enrolled",
        description="Name the people in photos and videos, if they are enrolled. For several "
        "photos --json prints one object a line; a photo that cannot be read is reported, and the "
        "others go on.",
    )
    identify.add_argument("gallery", type=Path, metavar="GALLERY", help="folder of the gallery")
    identify.add_argument(
        "photos",
        nargs="+",
        metavar="PHOTOS",
        help=PROBES_HELP,
    )
    identify.set_defaults(run=run_identify)

    verify = commands.add_parser("verify", help="check whether two photos show the same person")
    verify.add_argument("first", type=Path, metavar="PHOTO", help="photo whose faces are compared")
    verify.add_argument("second", type=Path, metavar="PHOTO", help="photo whose faces are compared")
    verify.add_argument(
        "--gallery",
        type=Path,
        metavar="GALLERY",
        help="gallery whose detector and encoder compare them; quick while its service runs",
    )
    verify.set_defaults(run=run_verify)

    for parser in (identify, verify):
        parser.add_argument(
            "--threshold",
            type=squared_distance,
            metavar="D",
            help="largest squared distance of the same person (default: the "
            + ("calibrated one of the gallery, or the " if parser is identify else "")
            + "encoder's)",
        )
    for parser in (search, identify, verify):
        add_engine_options(parser)


def run_search(args: argparse.Namespace) -> int:
    """Print the matches of every face, or write those of many photos."""
    from facesearch.errors import InputError

    if (args.photo is None) == (args.probes is None) or (args.probes is None) != (args.out is None):
        raise InputError("expected a PHOTO, or both --probes DIR and --out FILE; give one of these")
    if args.probes is not None:
        return _search_batch(args)
    faces = None
    if not _is_video(args.photo):
        faces = ask_service(args, "search", {"photo": args.photo}, k=args.k)
    if faces is None:
        faces = _searched(args)
    names = [[match.pop("name") for match in face["matches"]] for face in faces]
    if args.json:
        print_json({"photo": args.photo, "faces": faces})
        return 0
    if not faces:
        print(f"no face found in {args.photo}", file=sys.stderr)
    for number, face in enumerate(faces, 1):
        print(f"face {number} at {_where(face)}, quality {face['quality']:.2f}")
        rows = [
            (rank, match["distance"], match["person"] or "", name)
            for rank, (match, name) in enumerate(
                zip(face["matches"], names[number - 1], strict=True), 1
            )
        ]
        print_table(("rank", "distance", "person", "photo"), rows)
    return 0


def _searched(args: argparse.Namespace) -> list[Document]:
    from facesearch.api.session import search_photo
    from facesearch.recognition.documents import matches_document

    engine = engine_options(args)
    return matches_document(
        search_photo(args.gallery, args.photo, args.k, engine=engine, device=args.search_device)
    )


def _search_batch(args: argparse.Namespace) -> int:
    from facesearch.api.batch import search_many

    report = search_many(
        args.gallery,
        args.probes,
        args.out,
        args.k,
        engine=engine_options(args),
        device=args.search_device,
        progress=counting_progress(args.quiet, " probes"),
    )
    if args.json:
        print_json(report)
        return 0
    print(
        f"{report.matches:,} matches of {report.faces:,} faces written to {report.out}; of "
        f"{report.probes:,} {report.unit}, {report.without_face:,} show no face and "
        f"{report.failed:,} failed"
    )
    return 0


def run_identify(args: argparse.Namespace) -> int:
    """Print a name or "unknown" for every face; 1 when no face is known."""
    if are_many(args.photos):
        return _identify_many(args)
    (photo,) = args.photos
    found = None
    if not _is_video(photo):
        found = ask_service(args, "identify", {"photo": Path(photo)}, threshold=args.threshold)
    if found is None:
        found = _identified(args, photo)
    if args.json:
        print_json({"photo": photo, "faces": found})
    elif not found:
        print(f"no face found in {photo}", file=sys.stderr)
    else:
        rows = [
            (
                _where(face),
                _name_text(face),
                face["distance"],
                face["nearest"],
                "" if face["margin"] is None else f"{face['margin']:.3f}",
            )
            for face in found
        ]
        print_table(("face", "person", "distance", "nearest", "margin"), rows)
        print(f"threshold: {_threshold_text(found[0])}")
    return 0 if any(face["person"] for face in found) else 1


def _identified(args: argparse.Namespace, photo: str) -> list[Document]:
    from facesearch.api.session import identify_photo
    from facesearch.recognition.documents import identification_document

    engine = engine_options(args)
    return identification_document(
        identify_photo(args.gallery, photo, threshold=args.threshold, engine=engine)
    )


def _identify_many(args: argparse.Namespace) -> int:
    from facesearch.api.batch import identify_photos
    from facesearch.recognition.documents import identification_document

    photos, known, failed, threshold = 0, 0, 0, ""
    for each in identify_photos(
        args.gallery,
        photo_paths(args.photos),
        threshold=args.threshold,
        engine=engine_options(args),
    ):
        photos += 1
        known += any(face.person for face in each.faces)
        failed += bool(each.reason)
        faces = identification_document(each.faces)
        if args.json:
            print_json_line({**vars(each), "faces": faces})
            continue
        if each.reason:
            print(printable(f"{each.photo}: {each.reason}: {each.detail}"), file=sys.stderr)
            continue
        names = [_name_and_time(face) for face in faces]
        print(printable(f"{each.photo}: {', '.join(names) or 'no face found'}"))
        threshold = threshold or (_threshold_text(faces[0]) if faces else "")
    if not args.json:
        print(f"{count(photos, 'photo')}; {known:,} with somebody known; {failed:,} not readable")
        if threshold:
            print(f"threshold: {threshold}")
    return 0 if known else 1


def run_verify(args: argparse.Namespace) -> int:
    """Print whether the photos' largest faces show one person; 1 when they do not."""
    photos = {"first": args.first, "second": args.second}
    result = None
    if not any(map(_is_video, photos.values())):
        result = ask_service(args, "verify", photos, threshold=args.threshold)
    if result is None:
        result = _verified(args)
    too_poor = result.pop("too_poor")
    if args.json:
        print_json(result)
    else:
        print_facts(
            [
                ("verdict", "same person" if result["same"] else "different people"),
                ("distance", f"{result['distance']:.3f}"),
                ("threshold", f"{result['threshold']:.3f}"),
                ("faces", " and ".join(box_text(box) for box in result["boxes"])),
                ("qualities", " and ".join(f"{each:.2f}" for each in result["qualities"])),
            ]
        )
        if too_poor:
            print("both faces are too poor to compare: use sharper photos", file=sys.stderr)
    return 0 if result["same"] else 1


def _verified(args: argparse.Namespace) -> Document:
    from facesearch.api.arguments import to_engine
    from facesearch.api.session import verify_photos
    from facesearch.gallery.gallery import Gallery
    from facesearch.recognition.documents import verification_document

    contract = None if args.gallery is None else Gallery.open(args.gallery).contract
    engine = to_engine(engine_options(args), contract)
    return verification_document(
        verify_photos(args.first, args.second, threshold=args.threshold, engine=engine)
    )


def _name_text(face: Document) -> str:
    """The name, "unknown", or the name with a warning."""
    if face["person"] is None:
        return "unknown"
    return f"{face['person']} (unsure)" if face["unsure"] else str(face["person"])


def _name_and_time(face: Document) -> str:
    """The name, in a video with the time at which it is seen."""
    name = _name_text(face)
    return f"{name} {face['time']}" if face.get("time") else name


def _threshold_text(face: Document) -> str:
    """The threshold and where it comes from."""
    rate = (
        ""
        if face["fpir"] is None
        else f"; {100 * face['fpir']:.2g}% of unknown people are identified wrongly"
    )
    return f"{face['threshold']:.3f} ({_FROM[face['threshold_from']]}{rate})"


def _is_video(photo: Path | str) -> bool:
    """Whether the question is a video, which a service does not take."""
    from facesearch.video.reader import is_video

    return is_video(Path(photo))


def _where(face: Document) -> str:
    """Where a face is in a photo, or when a track is seen in a video."""
    return str(face["time"]) if face.get("time") else box_text(face["box"])
