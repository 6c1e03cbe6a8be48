"""Promised and observed FPIR on made galleries, whose people are known to be different people.

    python -m benchmarks.recognition.identification_made

Result: ``identity_rates_made``. A gallery of FACES made faces
(``benchmarks.common.made_galleries``, as the default encoder's lie) is clustered as ``facesearch
cluster`` does, at the threshold of the encoder that ``identity_rates`` is of. Some of its people
are enrolled with at most 3 faces, thresholds are learnt from that in the same ways as on LFW
(``benchmarks.recognition.identification``), and strangers are searched for, one face each.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator

import numpy as np

from benchmarks.common.face_model import FaceModel
from benchmarks.common.made_galleries import MadeGallery
from benchmarks.common.markdown import result
from benchmarks.common.record import record
from benchmarks.recognition.identification import (
    MOST_FACES,
    Labels,
    ProbeFaces,
    Rate,
    drawn_rows,
    pooled,
    rates_at,
)
from cluster.graph.approximate_knn import approximate_knn_graph
from cluster.linkage.average_linkage import cut
from cluster.linkage.graph_average_linkage import graph_average_linkage
from facesearch.encoders import thresholds_of
from facesearch.encoders.types import EncoderContract

FACES = 50_000
SIZES = (10, 100, 1000, 10_000)
STRANGERS = 20_000  # faces of them; one of each person is searched for
NEIGHBOURS = 32
REPEATS = 5


def main() -> None:
    """Measure, record."""
    argparse.ArgumentParser(description=__doc__.partition("\n")[0]).parse_args()
    merged = thresholds_of(EncoderContract(**result("identity_rates")["contract"])).cluster
    about = {"faces": FACES, "repeats": REPEATS, "merged": merged, "seeds": list(range(REPEATS))}
    print(record("identity_rates_made", {**about, "made": pooled(made_rates(merged))}))


def made_rates(merged: float) -> Iterator[Rate]:
    """Rates at every size, in new made galleries."""
    for seed in range(REPEATS):
        gallery = MadeGallery(FACES, FaceModel.load(), seed)
        holds = faces_of(gallery)
        graph = approximate_knn_graph(holds.vectors, NEIGHBOURS)
        linkage = graph_average_linkage(holds.vectors, graph, stop=merged)
        labels = cut(linkage, len(holds.people), merged).astype(np.int64)
        rng = np.random.default_rng(seed)
        asked = strangers_of(gallery, rng)
        people = rng.permutation(np.unique(holds.people))
        for size in SIZES:
            taken = drawn_rows(holds, people[:size], MOST_FACES, rng)
            yield from rates_at(holds, labels, taken, asked, merged)
        print("rates on made galleries", seed, len(people), len(asked.people), file=sys.stderr)


def faces_of(gallery: MadeGallery) -> ProbeFaces:
    """All faces of a gallery and whose they are."""
    vectors = np.concatenate([block.vectors for block in gallery.blocks()])
    people: Labels = gallery.people(np.arange(len(gallery)))
    return ProbeFaces(vectors, people)


def strangers_of(gallery: MadeGallery, rng: np.random.Generator) -> ProbeFaces:
    """One face of each of many people who are not in the gallery."""
    found = gallery.strangers(STRANGERS)
    faces = ProbeFaces(found.vectors, found.people)
    return faces.at(drawn_rows(faces, np.unique(faces.people), 1, rng))


if __name__ == "__main__":
    main()
