"""Which share of the distance the first encoder of an ensemble should have.

    python -m benchmarks.recognition.ensemble_share --cache DIR [--encoder NAME]

The ensemble embeds the photos of LFW's View 1 and the album; its vectors are parted into those of
the two encoders and joined again at each share. The share chosen has the best mean, over the two
sets, of the share of pairs of one person that are accepted where one in 10,000 pairs of different
people is. What it does elsewhere is reported by ``benchmarks.recognition.encoders``.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.common.record import record
from benchmarks.jobs.album import read_truth
from benchmarks.recognition.quality_data import photos_of, view1_pairs
from facesearch.encoders import EncoderSpec, encoder_spec
from facesearch.encoders.ensemble import joined_vectors
from facesearch.engine import FaceEngine
from facesearch.engine_options import EngineOptions
from facesearch.errors import InputError
from facesearch.evaluate.all_pairs import all_pairs
from facesearch.evaluate.datasets.embed_dataset import DatasetEmbedOptions, embed_photos

DATA = Path(os.environ.get("FACESEARCH_TEST_DATA", "../shared/data"))
SHARES = (0.0, 0.5, 0.8, 0.9, 0.92, 0.93, 0.94, 0.95, 0.96, 0.97, 0.98, 1.0)
FARS = (1e-3, 1e-4)
CHOSEN_AT = "0.0001"

Vectors = NDArray[np.float32]
Rates = dict[str, float]


def main() -> None:
    """Embed, try every share, choose and record."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--cache", type=Path, required=True, help="outside the repository")
    parser.add_argument("--encoder", default="dlib-facenet-ensemble", metavar="NAME")
    args = parser.parse_args()
    spec = encoder_spec(args.encoder)
    options = DatasetEmbedOptions.for_cores(args.cache)
    engine = EngineOptions(encoder=args.encoder).create(callers=options.threads)
    sets = {}
    for name, root, people in labelled_photos():
        vectors, truth = embedded(engine, root, people, options)
        print(name, vectors.shape, flush=True)
        sets[name] = tried(*parted(spec, vectors), truth)
    chosen = best_share(sets)
    about = {"encoders": members(spec), "contract": vars(engine.contract), "chosen": chosen}
    print(f"chosen: {chosen}", record("ensemble_share", {**about, "sets": sets}))


def labelled_photos() -> Iterator[tuple[str, Path, dict[str, str]]]:
    """What is chosen on: names, folders, and the person of each photo."""
    names = photos_of(view1_pairs())
    people = {name: name.partition("/")[0] for name in names}
    yield "LFW View 1", DATA / "lfw" / "images", people
    yield "album", DATA / "album" / "photos", read_truth(DATA / "album" / "identities.csv")


def embedded(
    engine: FaceEngine, root: Path, people: dict[str, str], options: DatasetEmbedOptions
) -> tuple[Vectors, NDArray[np.int64]]:
    """Vectors of the photos with a face, and whose they are, numbered."""
    (found,) = embed_photos(engine, root, tuple(people), options=options)
    usable = found.usable("reject")
    names = np.array(list(people.values()))[usable]
    return found.vectors[usable], np.unique(names, return_inverse=True)[1].astype(np.int64)


def members(spec: EncoderSpec) -> tuple[str, str]:
    """The names of the encoders of an ensemble."""
    if spec.ensemble is None:
        raise InputError(f"expected an ensemble of encoders, got {spec.name}")
    return spec.ensemble.first.name, spec.ensemble.second.name


def parted(spec: EncoderSpec, vectors: Vectors) -> tuple[Vectors, Vectors]:
    """The unit vectors of both encoders, out of joined ones."""
    first = encoder_spec(members(spec)[0]).dimension
    parts = (vectors[:, :first], vectors[:, first:])
    one, other = (each / np.linalg.norm(each, axis=1, keepdims=True) for each in parts)
    return one, other


def tried(first: Vectors, second: Vectors, people: NDArray[np.int64]) -> dict[str, Rates]:
    """True accepts at each of FARS, over all pairs, by share."""
    rates = {}
    for share in SHARES:
        found = all_pairs(joined_vectors(first, second, share), people, fars=FARS).at_far
        rates[f"{share:g}"] = {f"{each.far:g}": round(each.validation_rate, 4) for each in found}
    return rates


def best_share(sets: dict[str, dict[str, Rates]]) -> float:
    """The share with the best mean over the sets."""
    means = {
        share: float(np.mean([rates[f"{share:g}"][CHOSEN_AT] for rates in sets.values()]))
        for share in SHARES
    }
    return max(means, key=lambda share: means[share])


if __name__ == "__main__":
    main()
