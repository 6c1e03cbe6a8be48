"""``encoders``, ``encoders fetch`` and ``encoders remove``: which there are, and their files."""

from __future__ import annotations

import argparse
import dataclasses
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from facesearch.cli.output import print_facts, print_json, print_table

if TYPE_CHECKING:
    from facesearch.encoders import EncoderSpec


def add_commands(commands: Any) -> None:
    """Add ``encoders`` and all commands below it."""
    from facesearch.cli.encoders import add, learn, quantise

    parser = commands.add_parser(
        "encoders",
        help="list, download, add or remove encoders; learn their thresholds",
        description="List the available encoders; the commands below do more.",
    )
    parser.set_defaults(run=run_list)
    below = parser.add_subparsers(title="commands", metavar="COMMAND")
    fetch = below.add_parser("fetch", help="download the files of an encoder, once")
    fetch.add_argument("name", metavar="NAME", help="name of the encoder")
    fetch.add_argument(
        "--url", help="another address of the same file, for an encoder with one file"
    )
    fetch.add_argument(
        "--from", dest="folder", type=Path, metavar="FOLDER", help="copy the files from a folder"
    )
    fetch.set_defaults(run=run_fetch)
    add.add_command(below)
    learn.add_command(below)
    quantise.add_command(below)
    remove = below.add_parser("remove", help="remove an encoder that was added, and its files")
    remove.add_argument("name", metavar="NAME", help="name of the encoder")
    remove.set_defaults(run=run_remove)


def run_list(args: argparse.Namespace) -> int:
    """Print a table, or all that is known as JSON."""
    from facesearch.encoders import encoder_names, encoder_spec

    described = [_described(encoder_spec(name)) for name in encoder_names()]
    if args.json:
        print_json(described)
        return 0
    columns = ("name", "dimension", "input", "parameters", "operations", "weights")
    print_table(columns, [[each[column] for column in columns] for each in described])
    for each in described:
        print()
        facts = [(fact, each[fact]) for fact in ("name", "licence", "source", "lfw")]
        for way, thresholds in each["thresholds"].items():
            facts += [(f"thresholds, {way}", _thresholds_text(thresholds))]
        facts += [
            ("chosen on", thresholds["chosen_on"]),
            ("path", each["path"] or each["weights"]),
        ]
        print_facts(facts)
    return 0


def _described(spec: EncoderSpec) -> dict[str, Any]:
    path = _path(spec)
    return {
        "name": spec.name,
        "dimension": spec.dimension,
        "input": spec.input_size,
        "parameters": spec.parameters,
        "operations": spec.operations,
        "alignment": spec.template.name if spec.template else spec.alignment,
        "pixels": str(spec.pixels or ""),
        "weights": "present" if path else "not fetched",
        "path": str(path or ""),
        "licence": spec.licence,
        "source": spec.source,
        "lfw": spec.lfw,
        "thresholds": {
            "flip": dataclasses.asdict(spec.flipped),
            "no flip": dataclasses.asdict(spec.plain),
        },
    }


def _thresholds_text(thresholds: dict[str, Any]) -> str:
    uses = ("verification", "identification", "cluster")
    values = ", ".join(f"{use} {thresholds[use]}" for use in uses)
    return values if thresholds["learned"] else f"{values} (guesses)"


def _path(spec: EncoderSpec) -> Path | None:
    """The file of the weights where all files are; digests are checked when it is loaded."""
    from facesearch.model_files.packaged import PackagedFile

    if not spec.present:
        return None
    return spec.weights.locate() if isinstance(spec.weights, PackagedFile) else spec.weights.path


def run_fetch(args: argparse.Namespace) -> int:
    """Download with a progress bar; says so when there was no digest to compare with."""
    from facesearch.api.encoders import fetch_encoder
    from facesearch.encoders import encoder_spec

    with _Bar() as bar:
        encoder = fetch_encoder(args.name, url=args.url, folder=args.folder, progress=bar.show)
    if not encoder.fetched:
        print(f"{args.name} needs no fetching: {encoder_spec(args.name).source}", file=sys.stderr)
    files = [{"path": each.path, "sha256": each.sha256} for each in encoder.files]
    if args.json:
        print_json({**files[0], "first_use": encoder.first_use, "files": files})
        return 0
    for each in files:
        print_facts(list(each.items()))
    if encoder.first_use:
        print(
            "no digest was published for this file; later downloads must have the digest above",
            file=sys.stderr,
        )
    return 0


def run_remove(args: argparse.Namespace) -> int:
    """Remove; its thresholds stay, for galleries that were made with it."""
    from facesearch.encoders import remove_encoder

    remove_encoder(args.name)
    if args.json:
        print_json({"removed": args.name})
    else:
        print(f"removed {args.name}; galleries made with it can still be clustered, not indexed")
    return 0


class _Bar:
    """A progress bar in bytes on standard error for each file, made when its first bytes come."""

    def __init__(self) -> None:
        self._bar: Any = None
        self._file = ""

    def __enter__(self) -> _Bar:
        return self

    def __exit__(self, *_: object) -> None:
        if self._bar is not None:
            self._bar.close()

    def show(self, file: str, done: int, total: int | None) -> None:
        """Move to ``done`` of ``total`` bytes of ``file``."""
        if file != self._file:
            from tqdm import tqdm

            self.__exit__()
            self._file = file
            self._bar = tqdm(total=total, unit="B", unit_scale=True, disable=None)
        self._bar.update(done - self._bar.n)
