"""Are made faces like real ones? Fits the model to LFW and compares distances.

    python -m benchmarks.common.made_faces --cache DIR [--plot FILE]

LFW is embedded by the default encoder, into a cache that must lie outside the repository: no photo
and no vector of a real person is kept here, only ``face_model.json``. The made faces are as many,
and of people of the same sizes. Compared are squared distances of two faces of one person (of
people with at most 20 faces, lest a few dominate), of two people, and of each face to the nearest
of another person among as many as a gallery holds.

Then the real faces are hidden among made ones in the real frame: the share of probes whose nearest
face is of the same person.
"""

from __future__ import annotations

import argparse
import itertools
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.common.face_model import FITTED, FaceModel, fit_face_model
from benchmarks.common.made_galleries import MadeFaces, MadeGallery, draw_faces
from benchmarks.common.record import record
from indexer.exact.brute_force import exact_search
from indexer.types import Block, Ids

QUANTILES = (0.001, 0.01, 0.1, 0.25, 0.5, 0.75, 0.9, 0.99)
GALLERIES = (500, 2000, 8000)
DISTRACTORS = (0, 10_000, 100_000, 1_000_000)
SPREADS = tuple(itertools.product((0.05, 0.1, 0.15), (0.1, 0.15, 0.2, 0.25)))
LARGE_PERSON = 20
BLOCK = 1024
BINS = np.linspace(0, 1, 101)


@dataclass(frozen=True)
class Distances:
    """Squared distances float32 of one person's faces, and to the nearest of others by gallery.

    ``different`` counts pairs of two people, int64 (bins,) between ``BINS``.
    """

    same: NDArray[np.float32]
    different: NDArray[np.int64]
    nearest: dict[int, NDArray[np.float32]]


def main() -> None:
    """Fit, compare, hide, record."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    default = Path(os.environ.get("FACESEARCH_TEST_DATA", "../shared/data")) / "lfw"
    parser.add_argument("--data", type=Path, default=default, help="folder with images/")
    parser.add_argument("--cache", type=Path, required=True, help="outside the repository")
    parser.add_argument("--plot", type=Path, help="a PNG of the histograms")
    args = parser.parse_args()
    real = lfw_faces(args.data / "images", args.cache)
    found = distances_of(real)
    model = fitted(real, found)
    model.save(FITTED)
    made = draw_faces(model, real.people, seed=1)
    compared = distances_of(made)
    if args.plot:
        plot(args.plot, found, compared)
    result = {
        "data": "LFW, deep-funneled, default encoder; squared distances of unit vectors",
        "faces": len(real.people),
        "dimensions": model.rank,
        "size_exponent": model.size_exponent,
        "spreads": {"person": model.person_spread, "face": model.face_spread},
        "quantiles": QUANTILES,
        "real": figures(found),
        "made": figures(compared),
        "real_among_made": hidden(real, model),
    }
    print(f"recorded in {record('made_faces', result)}")


def lfw_faces(images: Path, cache: Path) -> MadeFaces:
    """Every photo of LFW whose face was found, by dlib's encoder."""
    from facesearch.engine import create_engine
    from facesearch.evaluate.datasets.embed_dataset import DatasetEmbedOptions, embed_photos

    paths = sorted(path.relative_to(images).as_posix() for path in images.glob("*/*.jpg"))
    engine, options = create_engine(encoder="dlib-resnet-v1"), DatasetEmbedOptions(cache=cache)
    (embedded,) = embed_photos(engine, images, paths, options=options)
    usable = embedded.usable("reject")
    folders = [path.split("/")[0] for path, kept in zip(paths, usable, strict=True) if kept]
    _, people = np.unique(folders, return_inverse=True)
    return MadeFaces(embedded.vectors[usable], people.astype(np.int64))


def fitted(real: MadeFaces, found: Distances) -> FaceModel:
    """The model whose spreads make distances within people most like the real ones."""
    wanted = np.log(np.quantile(found.same, QUANTILES[1:]))
    model = fit_face_model(real.vectors, real.people)
    models = [model.with_spreads(*spreads) for spreads in SPREADS]
    errors = [
        np.abs(np.log(np.quantile(same_person(made), QUANTILES[1:])) - wanted).sum()
        for made in (draw_faces(model, real.people, seed=0) for model in models)
    ]
    return models[int(np.argmin(errors))]


def distances_of(faces: MadeFaces) -> Distances:
    """Distances among all faces, and to the nearest of others in galleries drawn at random."""
    order = np.random.default_rng(0).permutation(len(faces.people))
    sizes = (*GALLERIES, len(order))
    different = np.zeros(len(BINS) - 1, np.int64)
    nearest = {size: np.zeros(len(order), np.float32) for size in sizes}
    people = faces.people[order]
    for start in range(0, len(order), BLOCK):
        rows = slice(start, start + BLOCK)
        distances = np.maximum(2 - 2 * faces.vectors[order[rows]] @ faces.vectors[order].T, 0)
        same = people[rows, None] == people
        distances[same] = np.inf
        later = np.arange(len(order)) > np.arange(len(order))[rows, None]
        different += np.histogram(distances[later & ~same], BINS)[0]
        for size in sizes:
            nearest[size][rows] = distances[:, :size].min(axis=1)
    return Distances(same_person(faces), different, nearest)


def same_person(faces: MadeFaces) -> NDArray[np.float32]:
    """Squared distances of two faces of one person, of people with few enough faces."""
    counts = np.bincount(faces.people)
    parts = []
    for person in np.flatnonzero((counts > 1) & (counts <= LARGE_PERSON)):
        vectors = faces.vectors[faces.people == person]
        first, second = np.triu_indices(len(vectors), 1)
        parts.append(np.square(vectors[first] - vectors[second]).sum(axis=1))
    return np.concatenate(parts)


def figures(distances: Distances) -> dict[str, Any]:
    """Quantiles of each kind of distance; those of different people within a bin's width."""
    cumulative = np.cumsum(distances.different) / distances.different.sum()
    return {
        "same_person": np.quantile(distances.same, QUANTILES).round(4).tolist(),
        "different_people": np.interp(QUANTILES, cumulative, BINS[1:]).round(4).tolist(),
        "nearest_other": {
            str(size): np.quantile(values, QUANTILES).round(4).tolist()
            for size, values in distances.nearest.items()
        },
    }


def hidden(real: MadeFaces, model: FaceModel) -> dict[str, Any]:
    """Rank-1 identification of real probes among the other real faces and made ones."""
    probes = first_of_several(real.people)
    enrolled = np.setdiff1d(np.arange(len(real.people)), probes)
    queries = real.vectors[probes]
    # Ids of real faces are their rows, those of made ones follow.
    nearest = exact_search([Block(enrolled, real.vectors[enrolled])], queries, 1)
    right = real.people[nearest.ids[:, 0]] == real.people[probes]
    made = MadeGallery(max(DISTRACTORS), model, seed=2)
    rates = {}
    closest = np.full(len(probes), np.inf, np.float32)
    seen = 0
    blocks = made.blocks(rows=min(size for size in DISTRACTORS if size))
    for size in DISTRACTORS:
        while seen < size:
            block = next(blocks)
            seen += len(block)
            closest = np.minimum(closest, exact_search([block], queries, 1).distances[:, 0])
        rates[str(size)] = float((right & (nearest.distances[:, 0] < closest)).mean())
    return {"probes": len(probes), "enrolled": len(enrolled), "rank_1_by_distractors": rates}


def first_of_several(people: Ids) -> NDArray[np.int64]:
    """Rows of the first face of every person who has two or more."""
    _, rows, counts = np.unique(people, return_index=True, return_counts=True)
    return rows[counts >= 2]


def plot(path: Path, real: Distances, made: Distances) -> None:
    """Histograms of the three kinds of distance, real (filled) and made (line)."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 4), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots()
    largest = max(real.nearest)
    for colour, name, counts in (
        ("C0", "one person", [np.histogram(each.same, BINS)[0] for each in (real, made)]),
        ("C1", "two people", [each.different for each in (real, made)]),
        (
            "C2",
            f"nearest of {largest:,}, not the same person",
            [np.histogram(each.nearest[largest], BINS)[0] for each in (real, made)],
        ),
    ):
        for style, label, values in zip(
            ("stepfilled", "step"), ("real", "made"), counts, strict=True
        ):
            axes.hist(
                BINS[:-1],
                BINS,
                weights=values / values.sum(),
                histtype=style,
                color=colour,
                alpha=0.4 if label == "real" else 1,
                label=f"{name}, {label}",
            )
    axes.set_xlim(0, 0.7)
    axes.set_xlabel("squared distance")
    axes.set_ylabel("share")
    axes.legend(fontsize="small")
    figure.savefig(path, dpi=150)


if __name__ == "__main__":
    main()
