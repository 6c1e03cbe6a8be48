"""``search``, ``identify`` and ``verify``: compare the faces of a photo with others."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

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
    known,
    print_facts,
    print_json,
    print_table,
)

if TYPE_CHECKING:
    from facesearch.recognition.identify import FaceMatches, Identification, Match
    from facesearch.video.types import TimeSpan

_FROM = {
    "given": "as given",
    "calibration": "calibrated",
    "stale calibration": "calibrated, but stale: run facesearch calibrate",
    "encoder": "the encoder's default, as too few people are known here to calibrate",
}


def add_commands(commands: Any) -> None:
    """Add the three commands."""
    search = commands.add_parser(
        "search", help="find the faces of the gallery that are nearest to those of a photo"
    )
    search.add_argument("gallery", type=Path, metavar="GALLERY", help="folder of the gallery")
    search.add_argument(
        "photo", nargs="?", type=Path, metavar="PHOTO", help="photo whose faces are compared"
    )
    search.add_argument(
        "-k", type=positive_int, default=10, help="matches for each face (default: 10)"
    )
    search.add_argument(
        "--probes",
        type=Path,
        metavar="DIR",
        help="search for all faces of a folder of photos, of another gallery, or of a folder of "
        "shards, instead of PHOTO; an interrupted job continues",
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
        "identify", help="name the people in a photo, if they are enrolled"
    )
    identify.add_argument("gallery", type=Path, metavar="GALLERY", help="folder of the gallery")
    identify.add_argument(
        "photo", type=Path, metavar="PHOTO", help="photo whose faces are compared"
    )
    identify.set_defaults(run=run_identify)

    verify = commands.add_parser("verify", help="check whether two photos show the same person")
    verify.add_argument("first", type=Path, metavar="PHOTO", help="photo whose faces are compared")
    verify.add_argument("second", type=Path, metavar="PHOTO", help="photo whose faces are compared")
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
    from facesearch.api.session import search_photo
    from facesearch.errors import InputError

    if (args.photo is None) == (args.probes is None) or (args.probes is None) != (args.out is None):
        raise InputError("expected a PHOTO, or both --probes DIR and --out FILE; give one of these")
    if args.probes is not None:
        return _search_batch(args)
    faces = search_photo(
        args.gallery,
        args.photo,
        args.k,
        engine=engine_options(args),
        device=args.search_device,
    )
    if args.json:
        print_json({"photo": args.photo, "faces": [_face_json(face) for face in faces]})
        return 0
    if not faces:
        print(f"no face found in {args.photo}", file=sys.stderr)
    for number, face in enumerate(faces, 1):
        print(f"face {number} at {_where(face)}, quality {face.quality:.2f}")
        rows = [
            (rank, match.distance, match.person or "", match.face.place)
            for rank, match in enumerate(face.matches, 1)
        ]
        print_table(("rank", "distance", "person", "photo"), rows)
    return 0


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
    from facesearch.api.session import identify_photo

    found = identify_photo(
        args.gallery, args.photo, threshold=args.threshold, engine=engine_options(args)
    )
    if args.json:
        faces = [
            {
                **{key: value for key, value in vars(each).items() if key != "span"},
                "seconds": _seconds(each.span),
            }
            for each in found
        ]
        print_json({"photo": args.photo, "faces": faces})
    elif not found:
        print(f"no face found in {args.photo}", file=sys.stderr)
    else:
        rows = [
            (
                _where(face),
                face.person or "unknown",
                face.distance,
                face.nearest,
                "" if face.margin is None else f"{face.margin:.3f}",
            )
            for face in found
        ]
        print_table(("face", "person", "distance", "nearest", "margin"), rows)
        print(f"threshold: {_threshold_text(found[0])}")
    return 0 if any(face.person for face in found) else 1


def run_verify(args: argparse.Namespace) -> int:
    """Print whether the photos' largest faces show one person; 1 when they do not."""
    from facesearch.api.session import verify_photos

    result = verify_photos(
        args.first, args.second, threshold=args.threshold, engine=engine_options(args)
    )
    if args.json:
        print_json(result)
    else:
        print_facts(
            [
                ("verdict", "same person" if result.same else "different people"),
                ("distance", f"{result.distance:.3f}"),
                ("threshold", f"{result.threshold:.3f}"),
                ("faces", " and ".join(box_text(box) for box in result.boxes)),
                ("qualities", " and ".join(f"{each:.2f}" for each in result.qualities)),
            ]
        )
        if result.too_poor:
            print("both faces are too poor to compare: use sharper photos", file=sys.stderr)
    return 0 if result.same else 1


def _threshold_text(face: Identification) -> str:
    """The threshold and where it comes from."""
    rate = (
        ""
        if face.fpir is None
        else f"; {100 * face.fpir:.2g}% of unknown people are identified wrongly"
    )
    return f"{face.threshold:.3f} ({_FROM[face.threshold_from]}{rate})"


def _face_json(face: FaceMatches) -> dict[str, Any]:
    return {
        "box": face.box,
        "score": face.score,
        "quality": face.quality,
        "seconds": _seconds(face.span),
        "matches": [_match_json(match) for match in face.matches],
    }


def _match_json(match: Match) -> dict[str, Any]:
    return {
        "face_id": match.face.face_id,
        "distance": match.distance,
        "person": match.person,
        "photo": match.face.photo.location,
        "box": match.face.box,
        "quality": known(match.face.quality),
        "seconds": _seconds(match.face.span),
    }


def _where(face: FaceMatches | Identification) -> str:
    """Where a face is in a photo, or when a track is seen in a video."""
    return box_text(face.box) if face.span is None else face.span.text


def _seconds(span: TimeSpan | None) -> dict[str, float] | None:
    return None if span is None else span.as_json()
