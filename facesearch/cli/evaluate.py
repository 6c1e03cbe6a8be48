"""``evaluate``: measure accuracy on labelled photos by published protocols."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from facesearch.cli.engine_options import (
    add_engine_options,
    engine_options,
    fraction,
    positive_int,
    squared_distance,
    whole_number,
)
from facesearch.cli.output import counting_progress, print_json, print_table
from facesearch.text import printable

if TYPE_CHECKING:
    from facesearch.api.evaluation import EvaluationOptions
    from facesearch.evaluate.presentation.report import Report

_FAILURES_SHOWN = 20
_PEOPLE = "folder with a folder for each person: PERSON/PHOTO"
_PAIRS = "pairs file: that of LFW, or a table photo1, photo2, same, fold"
_VERIFY = "also report the accuracy at this squared distance (default: the encoder's threshold)"


def add_commands(commands: Any) -> None:
    """Add the command and a command below it for each protocol."""
    parser = commands.add_parser(
        "evaluate",
        help="measure accuracy on labelled photos by published protocols",
        description="Measure accuracy on labelled photos by published protocols; docs/evaluation.md"
        " says what each does and where it comes from.",
    )
    below = parser.add_subparsers(title="protocols", metavar="PROTOCOL", required=True)
    for add in (_lfw, _pairs, _folder, _slices, _identification, _clustering, _video, _robustness):
        protocol = add(below)
        _add_shared_options(protocol)
        add_engine_options(protocol)


def _lfw(below: Any) -> argparse.ArgumentParser:
    parser = _protocol(
        below, "lfw", _run_lfw, "Labeled Faces in the Wild, View 2: accuracy by folds, TAR at FAR"
    )
    parser.add_argument(
        "photos",
        type=Path,
        metavar="FOLDER",
        help="LFW: a folder with images/ and pairs.txt, or the photos themselves and --pairs",
    )
    parser.add_argument("--pairs", type=Path, metavar="FILE", help="default: FOLDER/pairs.txt")
    _add_threshold(parser, _VERIFY)
    return parser


def _pairs(below: Any) -> argparse.ArgumentParser:
    parser = _protocol(below, "pairs", _run_pairs, "verification on the pairs of any file")
    parser.add_argument(
        "photos", type=Path, metavar="FOLDER", help="folder that the paths in PAIRS are relative to"
    )
    parser.add_argument("pairs", type=Path, metavar="PAIRS", help=_PAIRS)
    _add_threshold(parser, _VERIFY)
    return parser


def _folder(below: Any) -> argparse.ArgumentParser:
    parser = _protocol(
        below, "folder", _run_folder, "VAL and FAR of the FaceNet paper over every two photos"
    )
    parser.add_argument("photos", type=Path, metavar="FOLDER", help=_PEOPLE)
    return parser


def _slices(below: Any) -> argparse.ArgumentParser:
    parser = _protocol(below, "slices", _run_slices, "false accepts within groups of people")
    parser.add_argument("photos", type=Path, metavar="FOLDER", help="photos of one face each")
    source = parser.add_mutually_exclusive_group()
    source.add_argument(
        "--names",
        metavar="PATTERN",
        help='groups are in file names, such as "{age}_{gender}_{origin}_*"; {person} says who it '
        "is, else each photo is of another person, or of one a folder",
    )
    source.add_argument(
        "--groups",
        type=Path,
        metavar="FILE",
        help="groups are in a CSV: a column photo, perhaps person, and one for each kind of group "
        "(default: folders, as group/person/photo.jpg or group/photo.jpg)",
    )
    return parser


def _identification(below: Any) -> argparse.ArgumentParser:
    parser = _protocol(
        below,
        "identification",
        _run_identification,
        "open-set identification: FNIR at FPIR, cumulative match characteristic",
    )
    parser.add_argument("photos", type=Path, metavar="FOLDER", help=_PEOPLE)
    parser.add_argument(
        "--enrol",
        type=positive_int,
        default=1,
        metavar="N",
        help="enrolled photos for each person (default: 1)",
    )
    parser.add_argument(
        "--repeats",
        type=positive_int,
        default=10,
        metavar="N",
        help="number of random splits (default: 10)",
    )
    return parser


def _clustering(below: Any) -> argparse.ArgumentParser:
    parser = _protocol(
        below,
        "clustering",
        _run_clustering,
        "clusters against people: pairwise, BCubed, NMI, AMI, ARI",
    )
    parser.add_argument("photos", type=Path, metavar="FOLDER", help=_PEOPLE)
    _add_threshold(
        parser,
        "largest mean squared distance within a person (default: judge what `cluster` does by "
        "default, and the encoder's threshold beside it)",
    )
    parser.add_argument("--hdbscan", action="store_true", help="also cluster with HDBSCAN")
    return parser


def _video(below: Any) -> argparse.ArgumentParser:
    parser = _protocol(
        below, "video", _run_video, "tracks compared by the mean over all pairs of their frames"
    )
    parser.add_argument(
        "photos", type=Path, metavar="FOLDER", help="PERSON/TRACK/FRAME or PERSON/CLIP.mp4"
    )
    parser.add_argument(
        "--pairs",
        type=Path,
        metavar="FILE",
        help="table PERSON/TRACK, PERSON/TRACK, same, fold (default: every two tracks)",
    )
    parser.add_argument(
        "--frames",
        type=positive_int,
        default=100,
        metavar="N",
        help="first frames of a track in which a face is found (default: 100)",
    )
    _add_threshold(parser, _VERIFY)
    return parser


def _robustness(below: Any) -> argparse.ArgumentParser:
    parser = _protocol(
        below, "robustness", _run_robustness, "VAL by JPEG quality and by size in pixels"
    )
    parser.add_argument("photos", type=Path, metavar="FOLDER", help=_PEOPLE)
    parser.add_argument(
        "--pairs", type=Path, metavar="FILE", help=f"{_PAIRS} (default: every two photos)"
    )
    parser.add_argument(
        "--of",
        choices=("face", "photo"),
        default="face",
        help="face: found in the photo as it is, which is then made worse, and whose size counts; "
        "photo: made worse before anything looks at it (default: face)",
    )
    parser.add_argument("--far", type=fraction, default=1e-3, help="default: 0.001")
    parser.add_argument(
        "--people", type=positive_int, metavar="N", help="only these many, drawn (default: all)"
    )
    return parser


def _protocol(
    below: Any,
    name: str,
    run: Callable[[argparse.Namespace, EvaluationOptions], Report],
    text: str,
) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = below.add_parser(
        name, help=text, description=f"Measure {text}."
    )
    parser.set_defaults(run=run_evaluate, protocol=run)
    return parser


def _add_threshold(parser: argparse.ArgumentParser, text: str) -> None:
    parser.add_argument("--threshold", type=squared_distance, metavar="D", help=text)


def _add_shared_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--out", type=Path, metavar="DIR", help="write report and plots here")
    parser.add_argument("--no-plots", action="store_true", help="write the report without plots")
    parser.add_argument("--cache", type=Path, metavar="DIR", help="keep vectors between runs here")
    parser.add_argument(
        "--face",
        choices=("prominent", "central", "largest"),
        default="prominent",
        help="which face of a photo counts (default: prominent)",
    )
    parser.add_argument(
        "--missing",
        choices=("reject", "centre"),
        default="reject",
        help="a photo without a face matches nothing, or its centre counts (default: reject)",
    )
    parser.add_argument(
        "--seed", type=whole_number, default=0, metavar="N", help="of all draws (default: 0)"
    )
    parser.add_argument("--quiet", action="store_true", help="show no progress bar")


def run_evaluate(args: argparse.Namespace) -> int:
    """Run the protocol, print its tables, write the report."""
    from facesearch.api.evaluation import EvaluationOptions, write_evaluation
    from facesearch.evaluate.presentation.matplotlib_plots import require_matplotlib
    from facesearch.evaluate.presentation.report import report_json

    plots = args.out is not None and not args.no_plots
    if plots:
        require_matplotlib()  # before the work, not after it
    options = EvaluationOptions(
        engine=engine_options(args),
        face=args.face,
        missing=args.missing,
        seed=args.seed,
        cache=args.cache,
        progress=counting_progress(args.quiet, " photos"),
    )
    report = args.protocol(args, options)
    if args.out is not None:
        written = write_evaluation(report, args.out, plots=plots)
        print(f"wrote {', '.join(path.name for path in written)} to {args.out}", file=sys.stderr)
    if args.json:
        print_json(report_json(report))
    else:
        _print_report(report)
    return 0


def _run_lfw(args: argparse.Namespace, options: EvaluationOptions) -> Report:
    from facesearch.api.evaluation import evaluate_lfw

    return evaluate_lfw(args.photos, args.pairs, threshold=args.threshold, options=options)


def _run_pairs(args: argparse.Namespace, options: EvaluationOptions) -> Report:
    from facesearch.api.evaluation import evaluate_pairs

    return evaluate_pairs(args.photos, args.pairs, threshold=args.threshold, options=options)


def _run_folder(args: argparse.Namespace, options: EvaluationOptions) -> Report:
    from facesearch.api.evaluation import evaluate_folder

    return evaluate_folder(args.photos, options=options)


def _run_slices(args: argparse.Namespace, options: EvaluationOptions) -> Report:
    from facesearch.api.evaluation import evaluate_slices

    return evaluate_slices(args.photos, names=args.names, groups=args.groups, options=options)


def _run_identification(args: argparse.Namespace, options: EvaluationOptions) -> Report:
    from facesearch.api.evaluation import evaluate_identification

    return evaluate_identification(
        args.photos, enrol=args.enrol, repeats=args.repeats, options=options
    )


def _run_clustering(args: argparse.Namespace, options: EvaluationOptions) -> Report:
    from facesearch.api.evaluation import evaluate_clustering

    return evaluate_clustering(
        args.photos, threshold=args.threshold, hdbscan=args.hdbscan, options=options
    )


def _run_video(args: argparse.Namespace, options: EvaluationOptions) -> Report:
    from facesearch.api.evaluation import evaluate_video

    return evaluate_video(
        args.photos, args.pairs, frames=args.frames, threshold=args.threshold, options=options
    )


def _run_robustness(args: argparse.Namespace, options: EvaluationOptions) -> Report:
    from facesearch.api.evaluation import evaluate_robustness

    return evaluate_robustness(
        args.photos, args.pairs, of=args.of, far=args.far, people=args.people, options=options
    )


def _print_report(report: Report) -> None:
    from facesearch.evaluate.presentation.report import conditions_text

    for sentence in conditions_text(report.conditions):
        print(sentence)
    for table in report.tables:
        print(f"\n{table.title}")
        print_table(table.header, table.rows)
        if table.note:
            print(table.note)
    failures = report.conditions.failures
    for failure in failures[:_FAILURES_SHOWN]:
        line = f"not used: {failure.photo}: {failure.reason}: {failure.detail}"
        print(printable(line), file=sys.stderr)
    if len(failures) > _FAILURES_SHOWN:
        print(f"and {len(failures) - _FAILURES_SHOWN} more", file=sys.stderr)
