"""Encoders that a user added: their files and what is known of them, kept in the data folder."""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from facesearch.argument_checks import instance, path_of
from facesearch.encoders.catalogue.known import ENCODERS
from facesearch.encoders.catalogue.spec import UNLEARNED, EncoderSpec, Ensemble, PixelFormat
from facesearch.encoders.catalogue.templates import ARCFACE, Template
from facesearch.errors import InputError, WeightsError
from facesearch.model_files.download import data_folder
from facesearch.model_files.stored import StoredFile
from indexer.storage.atomic_files import sha256_of, write_atomically
from indexer.storage.plain_files import read_json

DESCRIPTION = "encoder.json"
VERSION = 1
ARCFACE_PIXELS = PixelFormat("RGB", (127.5, 127.5, 127.5), (127.5, 127.5, 127.5))
_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")


@dataclass(frozen=True)
class EncoderSettings:
    """What a graph does not say of itself: how its chips are cut, their pixels scaled, its terms.

    ``template`` None cuts the box with a margin as FaceNet's encoders want it; ``output`` names the
    output that is the vector, where there are several.
    """

    template: Template | None = ARCFACE
    pixels: PixelFormat = ARCFACE_PIXELS
    licence: str = "not stated"
    output: str | None = None

    def __post_init__(self) -> None:
        instance(self.template, Template | None, "a Template or None as template")
        instance(self.pixels, PixelFormat, "a PixelFormat as pixels")
        instance(self.licence, str, "text as licence")
        instance(self.output, str | None, "the name of an output, or None, as output")


ARCFACE_SETTINGS = EncoderSettings()
PRESETS = {
    "arcface": ARCFACE_SETTINGS,
    "insightface": EncoderSettings(
        licence="InsightFace's models are for non-commercial research only, unless you have "
        "another licence from its makers",
    ),
    "open-model-zoo": EncoderSettings(
        ENCODERS["retail-0095"].template, PixelFormat("BGR"), "Apache-2.0"
    ),
    "sface": EncoderSettings(ARCFACE, PixelFormat("RGB"), "Apache-2.0"),
}


def added_folder() -> Path:
    """Where added encoders lie, a folder each."""
    return data_folder() / "encoders"


def added_names() -> list[str]:
    """Names of the encoders that were added, sorted."""
    return sorted(path.parent.name for path in added_folder().glob(f"*/{DESCRIPTION}"))


def named_encoder(name: str) -> EncoderSpec:
    """The encoder called ``name``, known or added; raises InputError naming those there are."""
    instance(name, str, "the name of an encoder")
    if name in ENCODERS:
        return ENCODERS[name]
    names = added_names()
    if name in names:
        return read_added(name)
    raise InputError(
        f"expected one of the encoders {', '.join([*ENCODERS, *names])}, got {name!r}; add another "
        "with: facesearch encoders add NAME --onnx FILE"
    )


def read_added(name: str) -> EncoderSpec:
    """The added encoder called ``name``; raises InputError where its description is damaged."""
    path = added_folder() / name / DESCRIPTION
    try:
        stored = read_json(path.resolve())
        if stored["version"] != VERSION:
            raise ValueError(f"version {stored['version']!r}")
        return _spec(name, stored)
    except (OSError, ValueError, KeyError, TypeError, AttributeError, InputError) as error:
        raise InputError(
            f"cannot read {path} ({type(error).__name__}: {error}); add the encoder again with: "
            f"facesearch encoders add {name}"
        ) from error


def add_encoder(
    name: str,
    file: str | os.PathLike[str],
    settings: EncoderSettings = ARCFACE_SETTINGS,
    *,
    replace: bool = False,
) -> EncoderSpec:
    """Keep a copy of the graph ``file`` (ONNX, or OpenVINO's .xml with its .bin) as ``name``.

    It is read, run on one chip and measured first. Raises InputError for a name that is taken
    (unless ``replace``) or not letters, digits, dots and dashes; WeightsError for a file that is no
    encoder.
    """
    _check_name(name, replace)
    file = path_of(file, "ONNX or OpenVINO file")
    instance(settings, EncoderSettings, "EncoderSettings as settings")
    facts = _tried(file, settings)
    folder = added_folder() / name
    with _renewed(folder) as part:
        companion = file.with_suffix(".bin") if file.suffix.lower() == ".xml" else None
        files = [_kept(each, part) for each in (file, companion) if each is not None]
        description = {
            "version": VERSION,
            "files": files,
            "dimension": facts.dimension,
            "input_size": facts.side,
            "parameters": facts.parameters,
            "operations": facts.operations,
            "source": file.name,
            **asdict(settings),
        }
        write_atomically(part / DESCRIPTION, json.dumps(description, indent=1).encode())
    return read_added(name)


def add_ensemble(
    name: str, first: str, second: str, share: float, *, replace: bool = False
) -> EncoderSpec:
    """Join the vectors of two encoders as ``name``: of the two the names, and the first's share.

    ``share`` in (0, 1) of a squared distance is the first one's. Raises InputError for a name as
    :func:`add_encoder` does, for encoders that there are not, that are one and the same or are
    ensembles, and for another share.
    """
    _check_name(name, replace)
    ensemble = Ensemble(named_encoder(first), named_encoder(second), share)
    members = [ensemble.first.name, ensemble.second.name]
    if name in members:
        raise InputError(f"expected an ensemble of two other encoders, got {name} in itself")
    with _renewed(added_folder() / name) as part:
        description = {"version": VERSION, "ensemble": members, "share": float(share)}
        write_atomically(part / DESCRIPTION, json.dumps(description, indent=1).encode())
    return read_added(name)


def remove_encoder(name: str) -> None:
    """Forget an added encoder and its files.

    Raises InputError where there is none, and where it is part of an ensemble.
    """
    if name not in added_names():
        raise InputError(
            f"expected one of the added encoders ({', '.join(added_names()) or 'there are none'}), "
            f"got {name!r}"
        )
    _check_unused(name)
    shutil.rmtree(added_folder() / name)


def _check_name(name: str, replace: bool) -> None:
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise InputError(f"expected a name of small letters, digits, dots and dashes, got {name!r}")
    if name in ENCODERS:
        raise InputError(f"{name} is an encoder that comes with the program; choose another name")
    if name in added_names() and not replace:
        raise InputError(f"an encoder {name} was added before; choose another name, or replace it")
    if name in added_names():
        _check_unused(name)


def _check_unused(name: str) -> None:
    """Raise InputError where an ensemble joins the added encoder ``name``."""
    for other in added_names():
        if name in _members(added_folder() / other / DESCRIPTION):
            raise InputError(f"{name} is part of the ensemble {other}; remove {other} first")


def _members(description: Path) -> list[str]:
    """The names of what an ensemble joins; none for other encoders and damaged descriptions."""
    try:
        return [str(each) for each in json.loads(description.read_bytes())["ensemble"]]
    except (OSError, ValueError, KeyError, TypeError):
        return []


def _tried(file: Path, settings: EncoderSettings) -> Any:
    """What the graph says of itself, once it has encoded a chip."""
    import numpy as np  # noqa: PLC0415 - with OpenVINO below, only where an encoder is added

    from facesearch.encoders.graph.backend import GraphBackend  # noqa: PLC0415
    from facesearch.encoders.graph.model_file import (  # noqa: PLC0415
        companion_of,
        graph_facts,
        read_graph,
    )

    model = read_graph(file, companion_of(file))
    facts = graph_facts(model, file, settings.output)
    chips = np.random.default_rng(0).integers(0, 256, (3, facts.side, facts.side, 3), np.uint8)
    try:
        vectors = GraphBackend(model, facts, settings.pixels, "fp32")(chips)
    except RuntimeError as error:
        reason = str(error).strip().splitlines()[-1]
        raise WeightsError(f"OpenVINO cannot run {file}: {reason}") from error
    if not np.isfinite(vectors).all() or not np.ptp(vectors, axis=0).any():
        raise WeightsError(
            f"{file} gives the same or infinite vectors whatever it is shown; check its colour "
            "order, mean and divisor, or name another output"
        )
    return facts


@contextmanager
def _renewed(folder: Path) -> Iterator[Path]:
    """A folder beside ``folder`` that takes its place when all went well."""
    part = folder.with_name(folder.name + ".partial")
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir(parents=True)
    try:
        yield part
        shutil.rmtree(folder, ignore_errors=True)
        part.rename(folder)
    finally:
        shutil.rmtree(part, ignore_errors=True)


def _kept(file: Path, folder: Path) -> dict[str, str]:
    copy = folder / f"weights{file.suffix.lower()}"
    shutil.copyfile(file, copy)
    return {"name": copy.name, "sha256": sha256_of(copy)}


def _spec(name: str, stored: dict[str, Any]) -> EncoderSpec:
    if "ensemble" in stored:
        first, second = (named_encoder(each) for each in stored["ensemble"])
        return EncoderSpec.joined(name, Ensemble(first, second, stored["share"]))
    folder = added_folder() / name
    files = [
        StoredFile(folder / Path(each["name"]).name, each["sha256"]) for each in stored["files"]
    ]
    template, pixels = stored["template"], stored["pixels"]
    return EncoderSpec(
        name=name,
        dimension=int(stored["dimension"]),
        input_size=int(stored["input_size"]),
        parameters=int(stored["parameters"]),
        operations=int(stored["operations"]),
        alignment="margin" if template is None else "five points",
        template=template
        and Template(str(template["name"]), tuple((x, y) for x, y in template["points"])),
        pixels=PixelFormat(pixels["order"], tuple(pixels["mean"]), tuple(pixels["divisor"])),
        licence=str(stored["licence"]),
        source=str(stored["source"]),
        weights=files[0],
        companion=files[1] if len(files) > 1 else None,
        output=stored["output"],
        lfw="not measured: added by you",
        flipped=UNLEARNED,
        plain=UNLEARNED,
    )
