"""Made crops: every person has a pattern of colours, every crop of it some noise."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from facesearch.train.data.crop_file import writing_crops

SIDE, MARGIN = 40, 4


def made_crops(people: int, faces: int, seed: int = 0) -> NDArray[np.uint8]:
    """Crops uint8 (people * faces, 40, 40, 3), person by person."""
    random = np.random.default_rng(seed)
    pattern = random.integers(0, 256, (people, 1, 5, 5, 3))
    noise = random.normal(0, 20, (people, faces, SIDE, SIDE, 3))
    whole = pattern.repeat(SIDE // 5, 2).repeat(SIDE // 5, 3) + noise
    return np.clip(whole, 0, 255).astype(np.uint8).reshape(-1, SIDE, SIDE, 3)


def crop_file(
    path: Path, people: int = 6, faces: int = 4, *, unknown: int = 0, seed: int = 0
) -> Path:
    """A crop file of made crops with teacher vectors; the last ``unknown`` have no name."""
    crops = made_crops(people, faces, seed)
    names: list[str | None] = [f"{path.stem}-{number // faces}" for number in range(len(crops))]
    names[len(names) - unknown :] = [None] * unknown
    vectors = np.random.default_rng(seed).normal(size=(len(crops), 128))
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    vectors = vectors.astype(np.float32)
    with writing_crops(path, SIDE, MARGIN) as writer:
        for part in (slice(0, 5), slice(5, None)):
            writer.add(crops[part], names[part], {"teacher": vectors[part]})
    return path
