"""``encoders add``: an encoder of a user's own: an ONNX file, OpenVINO's IR, or two encoders."""

from __future__ import annotations

import argparse
import dataclasses
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from facesearch.cli.engine_options import fraction
from facesearch.cli.output import print_facts, print_json

if TYPE_CHECKING:
    from facesearch.encoders import EncoderSettings, EncoderSpec

_PRESETS = ("arcface", "insightface", "open-model-zoo", "sface")
# Options that say of a file what it does not say itself.
_OF_FILES = ("preset", "template", "points", "colours", "mean", "divisor", "output", "licence")


def add_command(below: Any) -> None:
    """Add the command below ``encoders``."""
    parser = below.add_parser(
        "add",
        help="add an encoder from an ONNX file or an OpenVINO IR, or join two encoders",
        description="Add an encoder: a network that takes square crops of faces, as an ONNX file "
        "or an OpenVINO .xml with its .bin. The file is copied. The size of crops and the "
        "dimension of vectors are read from it; the preset gives the rest, unless you do. Or join "
        "two encoders to one, whose distance is a weighted sum of both.",
        epilog="InsightFace's packs (such as buffalo_l's w600k_r50.onnx) are added by path with "
        "--preset insightface; their licence allows non-commercial research only.",
    )
    parser.add_argument("name", metavar="NAME", help="name of the new encoder")
    _add_file_options(parser)
    _add_crop_options(parser)
    parser.add_argument(
        "--output",
        metavar="OUTPUT",
        help="name of the output with the vectors, if there are several",
    )
    parser.add_argument("--licence", metavar="TEXT", help="licence of the network")
    parser.add_argument("--replace", action="store_true", help="replace an encoder of this name")
    parser.set_defaults(run=run_add)


def _add_file_options(parser: argparse.ArgumentParser) -> None:
    file = parser.add_mutually_exclusive_group(required=True)
    file.add_argument(
        "--onnx", dest="file", type=Path, metavar="FILE", help="the network as an ONNX file"
    )
    file.add_argument(
        "--openvino",
        dest="file",
        type=Path,
        metavar="FILE.xml",
        help="the network as an OpenVINO IR, with its .bin next to it",
    )
    file.add_argument(
        "--ensemble",
        nargs=2,
        metavar=("FIRST", "SECOND"),
        help="join the vectors of two encoders; needs --share",
    )
    parser.add_argument(
        "--share",
        type=fraction,
        metavar="S",
        help="with --ensemble: how much of the distance is the first encoder's, between 0 and 1",
    )


def _add_crop_options(parser: argparse.ArgumentParser) -> None:
    """How the network expects crops of faces."""
    parser.add_argument(
        "--preset",
        choices=_PRESETS,
        help="how the encoder expects crops; arcface: RGB, (value - 127.5) / 127.5, aligned to "
        "ArcFace's five points (default: arcface)",
    )
    placed = parser.add_mutually_exclusive_group()
    placed.add_argument(
        "--template",
        choices=("arcface", "open-model-zoo", "margin"),
        help="where the five landmarks lie in a crop; margin: the box of the face, enlarged "
        "by a tenth",
    )
    placed.add_argument(
        "--points",
        metavar="POINTS",
        help="where they lie, if no template fits: left and right eye, nose, left and right corner "
        'of the mouth as "x,y x,y x,y x,y x,y", in units of the side of the crop',
    )
    parser.add_argument("--colours", choices=("RGB", "BGR"), help="order of the channels")
    parser.add_argument(
        "--mean",
        metavar="M",
        help="mean to subtract from each value of 0 to 255: one number, or three with commas",
    )
    parser.add_argument(
        "--divisor",
        metavar="D",
        help="divisor of each value after that: one number, or three with commas",
    )


def run_add(args: argparse.Namespace) -> int:
    """Add, and print what the file says and what to do next."""
    spec = _added(args)
    facts = {
        "name": spec.name,
        "dimension": spec.dimension,
        "input": spec.input_size,
        "alignment": spec.template.name if spec.template else spec.alignment,
        "pixels": str(spec.pixels or ""),
        "parameters": spec.parameters,
        "operations": spec.operations,
        "licence": spec.licence,
    }
    if args.json:
        print_json(facts)
        return 0
    print_facts(list(facts.items()))
    print(
        "its thresholds are guesses; learn them from a folder that has a folder of photos for "
        f"each person: facesearch encoders calibrate {spec.name} FOLDER",
        file=sys.stderr,
    )
    return 0


def _added(args: argparse.Namespace) -> EncoderSpec:
    from facesearch.encoders import add_encoder, add_ensemble
    from facesearch.errors import InputError

    if args.ensemble is None:
        if args.share is not None:
            raise InputError("expected --share with --ensemble FIRST SECOND alone")
        return add_encoder(args.name, args.file, _settings(args), replace=args.replace)
    if args.share is None:
        raise InputError(
            "expected --share S with --ensemble, how much of the distance is the first encoder's"
        )
    given = [name for name in _OF_FILES if getattr(args, name) is not None]
    if given:
        raise InputError(
            f"expected no --{given[0]} with --ensemble: both encoders know how they expect crops"
        )
    first, second = args.ensemble
    return add_ensemble(args.name, first, second, args.share, replace=args.replace)


def _settings(args: argparse.Namespace) -> EncoderSettings:
    from facesearch.encoders.catalogue.added import PRESETS
    from facesearch.encoders.catalogue.templates import template_named, template_of_text

    settings = PRESETS[args.preset or _PRESETS[0]]
    pixels = settings.pixels
    given = {"order": args.colours, "mean": _three(args.mean), "divisor": _three(args.divisor)}
    pixels = dataclasses.replace(pixels, **{k: v for k, v in given.items() if v is not None})
    template = settings.template
    if args.points:
        template = template_of_text(args.points)
    elif args.template:
        template = None if args.template == "margin" else template_named(args.template)
    return dataclasses.replace(
        settings,
        template=template,
        pixels=pixels,
        licence=args.licence or settings.licence,
        output=args.output or settings.output,
    )


def _three(text: str | None) -> tuple[float, float, float] | None:
    """One number for all channels, or one for each."""
    from facesearch.errors import InputError

    if text is None:
        return None
    try:
        values = [float(each) for each in text.split(",")]
        first, second, third = values * 3 if len(values) == 1 else values
    except ValueError:
        raise InputError(f"expected one number or three with commas, got {text!r}") from None
    return first, second, third
