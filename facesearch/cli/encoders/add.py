"""``encoders add``: an encoder of a user's own, from an ONNX file or OpenVINO's IR."""

from __future__ import annotations

import argparse
import dataclasses
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from facesearch.cli.output import print_facts, print_json

if TYPE_CHECKING:
    from facesearch.encoders import EncoderSettings

_PRESETS = ("arcface", "insightface", "open-model-zoo", "sface")


def add_command(below: Any) -> None:
    """Add the command below ``encoders``."""
    parser = below.add_parser(
        "add",
        help="add an encoder from an ONNX file or an OpenVINO IR",
        description="Add an encoder: a network in an ONNX file, or in an OpenVINO .xml with its "
        ".bin beside it, that takes square chips of faces. The file is copied. Side and dimension "
        "are read from it; what it does not say is the preset's, unless it is given.",
        epilog="InsightFace's packs (such as buffalo_l's w600k_r50.onnx) are added by path with "
        "--preset insightface; their licence allows non-commercial research only.",
    )
    parser.add_argument("name", metavar="NAME", help="what to call it")
    file = parser.add_mutually_exclusive_group(required=True)
    file.add_argument("--onnx", dest="file", type=Path, metavar="FILE")
    file.add_argument("--openvino", dest="file", type=Path, metavar="FILE.xml")
    parser.add_argument(
        "--preset",
        choices=_PRESETS,
        default="arcface",
        help="how its kind wants chips: arcface is RGB, (value - 127.5) / 127.5, ArcFace's five "
        "points (default: arcface)",
    )
    placed = parser.add_mutually_exclusive_group()
    placed.add_argument(
        "--template",
        choices=("arcface", "open-model-zoo", "margin"),
        help="where the five landmarks lie on a chip; margin: the box, grown by a tenth",
    )
    placed.add_argument(
        "--points",
        metavar="POINTS",
        help='your own: "x,y x,y x,y x,y x,y" in units of the side, of left and right eye, nose, '
        "left and right mouth corner",
    )
    parser.add_argument("--colours", choices=("RGB", "BGR"), help="order of the channels")
    parser.add_argument("--mean", metavar="M", help="taken off each value 0..255: one or three")
    parser.add_argument("--divisor", metavar="D", help="each is then divided by: one or three")
    parser.add_argument("--output", metavar="OUTPUT", help="which output, where it has several")
    parser.add_argument("--licence", metavar="TEXT", help="under what licence you have it")
    parser.add_argument("--replace", action="store_true", help="replace one of the same name")
    parser.set_defaults(run=run_add)


def run_add(args: argparse.Namespace) -> int:
    """Add, and say what was learnt of it and what is to be done next."""
    from facesearch.encoders import add_encoder

    spec = add_encoder(args.name, args.file, _settings(args), replace=args.replace)
    facts = {
        "name": spec.name,
        "dimension": spec.dimension,
        "input": spec.input_size,
        "alignment": spec.template.name if spec.template else spec.alignment,
        "pixels": str(spec.pixels),
        "parameters": spec.parameters,
        "operations": spec.operations,
        "licence": spec.licence,
    }
    if args.json:
        print_json(facts)
        return 0
    print_facts(list(facts.items()))
    print(
        "its thresholds are guesses until you learn them from photos of known people, a folder "
        f"each: facesearch encoders calibrate {spec.name} FOLDER",
        file=sys.stderr,
    )
    return 0


def _settings(args: argparse.Namespace) -> EncoderSettings:
    from facesearch.encoders.catalogue.added import PRESETS
    from facesearch.encoders.catalogue.templates import template_named, template_of_text

    settings = PRESETS[args.preset]
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
