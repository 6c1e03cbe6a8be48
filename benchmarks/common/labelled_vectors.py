"""Labelled photos to the vectors that ``benchmarks/clustering/quality.py`` reads.

    python -m benchmarks.common.labelled_vectors --photos FOLDER --cache DIR --out FILE.npz
        [--truth identities.csv] [options of the engine]

One face a photo, as the protocols choose it. The person is the photo's folder, or what
``--truth`` says (columns photo, identity). Photos without a face are left out. The file holds
``vectors``, ``names`` and ``paths``, below the folder.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

from benchmarks.jobs.album import read_truth
from facesearch.cli.engine_options import add_engine_options, engine_options
from facesearch.evaluate.datasets.embed_dataset import DatasetEmbedOptions, embed_photos
from facesearch.evaluate.datasets.labelled_photos import read_folder
from indexer.runtime.cores import available_cores


def main() -> None:
    """Embed and save."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--photos", type=Path, required=True)
    parser.add_argument("--truth", type=Path)
    parser.add_argument("--cache", type=Path, required=True, help="outside the repository")
    parser.add_argument("--out", type=Path, required=True, help="outside the repository")
    add_engine_options(parser)
    args = parser.parse_args()
    if args.truth:
        people = read_truth(args.truth)
    else:
        labelled = read_folder(args.photos)
        people = dict(zip(labelled.paths, labelled.people, strict=True))
    cores = available_cores()
    engine = engine_options(args).create(callers=cores)
    options = DatasetEmbedOptions(decoders=1, threads=cores, cache=args.cache)
    (embedded,) = embed_photos(engine, args.photos, tuple(people), options=options)
    usable = embedded.usable("reject")
    paths, names = (np.array(list(each))[usable] for each in (people, people.values()))
    np.savez(args.out, vectors=embedded.vectors[usable], names=names, paths=paths)
    print(f"{usable.sum()} of {len(usable)} photos in {args.out}: {engine.contract}")


if __name__ == "__main__":
    main()
