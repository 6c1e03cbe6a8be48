"""``encoders quantise``: the ranges that an encoder needs to run in int8."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from facesearch.cli.output import print_facts, print_json

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    from numpy.typing import NDArray

    from facesearch.encoders.network_ir import Network
    from facesearch.engine import FaceEngine


def add_command(below: Any) -> None:
    """Add the command below ``encoders``."""
    parser = below.add_parser(
        "quantise",
        help="measure the ranges that int8 needs, on the faces of photos",
        description="Measure how large numbers get inside an encoder, on the faces of PHOTOS "
        "(64 faces or more, of many people), so that it can run in int8. What is measured is kept "
        "in the cache folder, unless int8 turns out too far from fp32.",
    )
    parser.add_argument("name", metavar="NAME")
    parser.add_argument("photos", nargs="+", type=Path, metavar="PHOTOS")
    parser.add_argument("--weights", type=Path, metavar="FILE")
    parser.add_argument("--faces", type=int, default=512, help="how many (default: 512)")
    parser.set_defaults(run=run_quantise)


def run_quantise(args: argparse.Namespace) -> int:
    """Measure, and say how close int8 then is; 1 when it is too far to be used."""
    from facesearch.encoders import encoder_spec
    from facesearch.encoders.int8_calibration import LEAST_COSINE, calibrate_int8
    from facesearch.encoders.load import read_network
    from facesearch.engine import EncoderChoice, create_engine

    spec = encoder_spec(args.name)
    network = read_network(spec, args.weights).network
    path = _ranges_path(network)
    choice = EncoderChoice(args.name, args.weights, "cpu", "fp32")
    chips = _chips(create_engine(encoder=choice), args.photos, args.faces)
    result = calibrate_int8(network, chips, path)
    if args.json:
        print_json({**vars(result), "good": result.good, "file": path})
    else:
        print_facts([*vars(result).items(), ("file", path if result.good else "none")])
        if not result.good:
            print(f"too far from fp32: expected a mean of {LEAST_COSINE}", file=sys.stderr)
    return 0 if result.good else 1


def _ranges_path(network: Network) -> Path:
    """Where measured ranges are kept; raises InputError where there are some already."""
    from facesearch.encoders.load import ranges_file
    from facesearch.encoders.quantization import PACKAGED
    from facesearch.errors import InputError

    path = ranges_file(network)
    if path.parent == PACKAGED:
        raise InputError("these weights come with their ranges and need no calibration")
    if path.exists():
        raise InputError(
            f"these weights were calibrated before; to do it again delete {path}, after which "
            "galleries made with it take no more faces"
        )
    return path


def _chips(engine: FaceEngine, photos: Sequence[Path], count: int) -> NDArray[np.uint8]:
    """The chips of up to ``count`` faces; photos that cannot be read are passed over."""
    import numpy as np

    from facesearch.engine import DECODE_SIDE
    from facesearch.errors import PhotoError
    from facesearch.images import decode_photo, find_photos

    side = engine.encoder.input_size
    chips = [np.zeros((0, side, side, 3), np.uint8)]
    for found in find_photos(photos):
        if sum(len(each) for each in chips) >= count:
            break
        try:
            pixels = decode_photo(found.location, max_side=DECODE_SIDE).pixels
        except PhotoError as error:
            print(f"passed over: {found.location}: {error}", file=sys.stderr)
            continue
        chips.append(engine.aligner.align(pixels, engine.detect([pixels])[0]))
    return np.concatenate(chips)[:count]
