"""``index`` and ``build``: add photos to a gallery, and build its search index."""

from __future__ import annotations

import argparse
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from facesearch.cli.engine_options import (
    add_engine_options,
    byte_size,
    engine_options,
    positive_int,
    recall,
    whole_number,
)
from facesearch.cli.output import (
    embed_progress,
    print_facts,
    print_json,
    stage_progress,
)
from facesearch.text import count, printable
from facesearch.video_files import VIDEO_MODES

if TYPE_CHECKING:
    from facesearch.distributed.ray_runtime import RayOptions
    from facesearch.embed import EmbedReport
    from facesearch.encoders.types import EncoderContract
    from facesearch.gallery.gallery import Gallery

FAILURES_SHOWN = 20


def add_commands(commands: Any) -> None:
    """Add both commands."""
    _add_index(commands)
    _add_build(commands)


def _add_build(commands: Any) -> None:
    parser = commands.add_parser(
        "build",
        help="rebuild the search index of a gallery",
        description="Rebuild the search index of a gallery. The index is exact, unless you ask for "
        "a lower recall or an exact one does not fit into memory. Then the smallest index that "
        "reaches the recall is built, as measured on the faces of the gallery. Searches continue "
        "with the old index meanwhile. Later rebuilds keep the same recall and memory.",
    )
    parser.add_argument("gallery", type=Path, metavar="GALLERY", help="folder of the gallery")
    parser.add_argument(
        "--recall",
        type=recall,
        metavar="R",
        help="share of searches that must find the nearest face, 0.5 to 1; 1 is exact search "
        "(default: 1 if that fits into memory, else 0.99)",
    )
    parser.add_argument(
        "--memory",
        type=byte_size,
        metavar="SIZE",
        help="memory limit of the index, such as 8GiB or 500MB (default: half the machine's "
        "memory)",
    )
    parser.add_argument("--quiet", action="store_true", help="show no progress")
    parser.set_defaults(run=run_build)


def _add_index(commands: Any) -> None:
    parser = commands.add_parser(
        "index",
        help="find and embed the faces of photos and videos",
        description="Bring a gallery up to date with folders of photos and videos. New and changed "
        "photos are "
        "embedded, moved and copied ones are recognised, deleted ones are marked as gone. You can "
        "stop it at any time and start it again.",
    )
    parser.add_argument(
        "photos",
        nargs="+",
        type=Path,
        metavar="PHOTOS",
        help="folders or files, or addresses in an object store such as s3://bucket/folder",
    )
    parser.add_argument(
        "--gallery",
        required=True,
        type=Path,
        metavar="DIR",
        help="folder of the gallery; it is created if it does not exist",
    )
    parser.add_argument(
        "--vectors",
        choices=("float16", "float32"),
        default="float16",
        help="number format in which a new gallery stores vectors (default: float16, half the "
        "space)",
    )
    parser.add_argument(
        "--shard-photos",
        type=positive_int,
        default=512,
        metavar="N",
        help="photos, or frames of videos, for each shard; an interrupted job loses at most one "
        "shard (default: 512)",
    )
    parser.add_argument(
        "--threads",
        type=positive_int,
        default=None,
        metavar="N",
        help="number of threads that detect and encode (default: all cores)",
    )
    parser.add_argument(
        "--decoders",
        type=whole_number,
        default=None,
        metavar="N",
        help="number of processes that decode, 0 for none (default: half the threads)",
    )
    parser.add_argument(
        "--video",
        choices=VIDEO_MODES,
        default="tracks",
        help="how videos are read: tracks follows people through five frames a second, keyframes "
        "looks at one frame every few seconds and is quicker, off leaves videos out (default: "
        "tracks; reading videos needs the extra facesearch[video])",
    )
    parser.add_argument(
        "--retry-failed",
        action="store_true",
        help="retry photos that failed before and have not changed",
    )
    parser.add_argument(
        "--verify",
        action="store_true",
        help="read all photos again, to find those whose content changed while their size and "
        "times did not; photos with the same content are not embedded again",
    )
    parser.add_argument("--quiet", action="store_true", help="show no progress bar")
    _add_cluster_options(parser)
    add_engine_options(parser)
    parser.set_defaults(run=run_index)


def _add_cluster_options(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group(
        "many machines",
        "The gallery must be in a folder that all machines share. --threads and --decoders are "
        "those of each worker.",
    )
    group.add_argument(
        "--ray",
        metavar="ADDRESS",
        help="run on the Ray cluster at this address: host:port, auto, or local to start one here",
    )
    group.add_argument(
        "--ray-workers",
        type=positive_int,
        metavar="N",
        help="number of workers (default: as many as the cluster has cores for)",
    )
    group.add_argument(
        "--ray-gpus",
        type=float,
        default=0.0,
        metavar="N",
        help="GPUs of each worker, such as 1 or 0.5 (default: 0)",
    )


def run_index(args: argparse.Namespace) -> int:
    """Index photos and say what became of them."""
    from facesearch.api.indexing import index_photos
    from facesearch.cli.gallery.skipped_text import skipped_json
    from facesearch.embed import EmbedOptions

    report = index_photos(
        args.photos,
        args.gallery,
        engine=engine_options(args),
        options=replace(
            EmbedOptions.for_cores(args.threads, args.decoders),
            shard_photos=args.shard_photos,
            retry_failed=args.retry_failed,
            verify=args.verify,
            video=args.video,
        ),
        vectors=args.vectors,
        cluster=_cluster(args),
        progress=embed_progress(args.quiet),
    )
    if args.json:
        facts = {"gallery": report.gallery.folder, **vars(report.photos)}
        facts["skipped"] = skipped_json(report.photos.skipped)
        print_json({**facts, "faces_in_gallery": report.face_count})
    else:
        _print_report(report.gallery, report.photos, report.face_count)
        print(encoder_text(report.gallery.contract))
    return 0


def _cluster(args: argparse.Namespace) -> RayOptions | None:
    """The cluster that was asked for; InputError for its options without one."""
    from facesearch.distributed.ray_runtime import RayOptions
    from facesearch.errors import InputError

    if args.ray is not None:
        return RayOptions(args.ray, args.ray_workers, args.ray_gpus)
    if args.ray_workers is not None or args.ray_gpus:
        raise InputError("expected --ray ADDRESS with options of its workers, got none")
    return None


def encoder_text(contract: EncoderContract) -> str:
    """Which encoder and detector a gallery uses, and what would be better, in one line."""
    from facesearch.encoders import better_encoder

    text = f"encoder {contract.name}, detector {contract.detector}"
    better = better_encoder(contract.name)
    if better is None:
        return text
    return (
        f"{text}; {better} tells people apart far better: facesearch encoders fetch {better}, then "
        f"facesearch upgrade GALLERY --encoder {better}"
    )


def run_build(args: argparse.Namespace) -> int:
    """Rebuild the index, even if it is up to date, and print what it is."""
    from facesearch.api.indexing import build_index
    from facesearch.cli.output import description_facts

    description = build_index(
        args.gallery,
        recall=args.recall,
        memory=args.memory,
        progress=stage_progress(args.quiet),
    )
    if args.json:
        print_json({"gallery": args.gallery, "faces": description.count, "index": description})
    else:
        print_facts([("faces", description.count), *description_facts(description)])
    return 0


def _print_report(gallery: Gallery, report: EmbedReport, faces: int) -> None:
    from facesearch.cli.gallery.skipped_text import skipped_facts, skipped_notes

    print_facts(
        [
            ("photos found", report.found),
            ("  embedded", f"{report.embedded} with {report.faces} faces"),
            ("  unchanged", report.unchanged),
            *([("  read again, the same", report.checked)] if report.checked else []),
            ("  moved or copied", report.known),
            ("  failed", report.failed),
            ("photos deleted", report.gone),
            *_video_facts(report),
            *skipped_facts(report.skipped),
            ("gallery", f"{gallery.folder} with {faces} faces"),
        ]
    )
    if report.videos_skipped:
        text = f"{count(report.videos_skipped, 'video')} not read: {report.skipped_because}"
        print(printable(text), file=sys.stderr)
    if report.videos_by_keyframes:
        note = _keyframes_note(report.videos_by_keyframes, gallery.folder)
        print(printable(note), file=sys.stderr)
    for line in skipped_notes(report.skipped):
        print(printable(line), file=sys.stderr)
    for root in report.absent:
        print(printable(f"not there: {root}: its photos are marked as gone"), file=sys.stderr)
    for root in report.renamed:
        line = f"renamed: {root}: its photos are now found elsewhere, the others are marked as gone"
        print(printable(line), file=sys.stderr)
    for photo in report.partial[:FAILURES_SHOWN]:
        print(printable(f"read in part: {photo.photo}: {photo.detail}"), file=sys.stderr)
    for failure in report.failures[:FAILURES_SHOWN]:
        line = f"failed: {failure.photo}: {failure.reason}: {failure.detail}"
        print(printable(line), file=sys.stderr)
    if len(report.failures) > FAILURES_SHOWN:
        more = len(report.failures) - FAILURES_SHOWN
        print(
            f"and {more} more; list all with: facesearch info {gallery.folder} --failed",
            file=sys.stderr,
        )


def _keyframes_note(videos: int, gallery: Path) -> str:
    """That videos are not read again, and how one is."""
    return (
        f"{count(videos, 'video')} read by key frames earlier, and not read again; to read one "
        f"by tracks: facesearch forget {gallery} --lift VIDEO, and index again. Its faces are new "
        "ones then, and decisions about the old ones go with these"
    )


def _video_facts(report: EmbedReport) -> list[tuple[str, object]]:
    """What was read of videos, which are among the photos; nothing where there was none."""
    if not report.videos:
        return []
    minutes = report.video_seconds / 60
    text = f"{report.videos}, {minutes:.1f} minutes with {report.tracks} tracks"
    return [("  of these videos", text)]
