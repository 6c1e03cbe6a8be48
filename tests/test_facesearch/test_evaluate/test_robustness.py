"""Photos made worse, and the rates of pairs of them."""

from __future__ import annotations

from collections.abc import Sequence
from types import SimpleNamespace

import cv2
import numpy as np
import pytest

from facesearch.detect.types import Detections, Pixels
from facesearch.encoders.types import Embeddings, EncoderContract
from facesearch.errors import InputError
from facesearch.evaluate import verification as v
from facesearch.evaluate.datasets.embedded_photos import EmbeddedPhotos, State, distances_of
from facesearch.evaluate.degradation import Degradation, Degraded, paper_degradations
from facesearch.evaluate.robustness import EveryPair, ListedPairs, robustness


def photo(height: int = 120, width: int = 200) -> Pixels:
    rng = np.random.default_rng(0)
    coarse = rng.integers(0, 256, (6, 10, 3), np.uint8)
    return np.asarray(cv2.resize(coarse, (width, height)), np.uint8)


class ThirdsEngine:
    """Finds one face, a third of the photo wide and high, in photos of 50 pixels and more."""

    def __init__(self) -> None:
        self.contract = EncoderContract("e", "0" * 64, 4, 1, "none", "none")
        self.settings: dict[str, float] = {}
        self.embedded: list[tuple[tuple[int, ...], list[float]]] = []

    def detect(self, photos: Sequence[Pixels]) -> list[Detections]:
        return [self._find(each) for each in photos]

    def _find(self, pixels: Pixels) -> Detections:
        height, width = pixels.shape[:2]
        if min(height, width) < 50:
            return Detections.none()
        box = np.array([[width / 3, height / 3, 2 * width / 3, 2 * height / 3]], np.float32)
        return Detections(box, np.zeros((1, 5, 2), np.float32), np.ones(1, np.float32))

    def embed(self, photos: Sequence[Pixels], found: Sequence[Detections]) -> list[SimpleNamespace]:
        self.embedded += [
            (each.shape, faces.boxes[0].tolist()) for each, faces in zip(photos, found, strict=True)
        ]
        vectors = np.eye(4, dtype=np.float32)[:1]
        return [SimpleNamespace(embeddings=Embeddings(vectors, np.ones(1, np.float32)))] * len(
            found
        )


def test_the_papers_table_is_made() -> None:
    made = [(each.kind, each.value) for each in paper_degradations()]
    assert made[:6] == [("jpeg", quality) for quality in (10, 20, 30, 50, 70, 90)]
    assert made[6:] == [("pixels", side**2) for side in (40, 80, 120, 160, 256)]


def test_jpeg_gets_worse_with_quality_and_keeps_colours() -> None:
    errors = [
        float(np.abs(Degradation("jpeg", quality).apply(photo(), 0).astype(int) - photo()).mean())
        for quality in (5, 30, 95)
    ]
    assert errors[0] > errors[1] > errors[2] > 0
    red = np.zeros((16, 16, 3), np.uint8)
    red[:, :, 0] = 255
    back = Degradation("jpeg", 90).apply(red, 0)
    assert back[..., 0].min() > 240
    assert back[..., 1:].max() < 15


def test_photos_shrink_to_the_pixels_asked_and_never_grow() -> None:
    half = Degradation("pixels", 100 * 60).apply(photo(), 200 * 120)
    assert half.shape == (60, 100, 3)
    assert Degradation("pixels", 10**6).apply(photo(), 200 * 120) is not None
    np.testing.assert_array_equal(Degradation("pixels", 10**6).apply(photo(), 24_000), photo())
    assert Degradation("pixels", 1).apply(photo(2, 3000), 6000).shape[0] == 1


@pytest.mark.parametrize(
    ("kind", "value"), [("jpeg", 0), ("jpeg", 101), ("pixels", 0), ("blur", 3)]
)
def test_other_degradations_are_refused(kind: str, value: int) -> None:
    with pytest.raises(InputError, match="jpeg with a quality from 1 to 100"):
        Degradation(kind, value)
    with pytest.raises(InputError, match="one of face, photo"):
        Degraded((), of="nose")


def test_a_face_is_found_before_or_after_the_photo_is_made_worse() -> None:
    size = Degradation("pixels", 20 * 12)
    engine = ThirdsEngine()
    (record,) = Degraded((size,)).embed(engine, [photo()])  # type: ignore[arg-type]
    assert record.states.tolist() == [State.FOUND, State.FOUND]
    (before, box), (after, scaled) = engine.embedded
    assert before == (120, 200, 3)
    np.testing.assert_allclose(np.array(scaled) / box, after[1] / 200, rtol=1e-5)
    area = (scaled[2] - scaled[0]) * (scaled[3] - scaled[1])
    assert area == pytest.approx(240, rel=0.05)  # whole pixels of the photo
    engine = ThirdsEngine()
    (record,) = Degraded((size,), of="photo").embed(engine, [photo()])  # type: ignore[arg-type]
    assert record.states.tolist() == [State.FOUND, State.NO_FACE]
    assert engine.embedded[1][0] == (12, 20, 3)


def test_degradations_and_parts_have_names() -> None:
    ways = [Degraded(()), Degraded((), "photo"), Degraded((), rule="largest")]
    ways += [Degraded((Degradation("jpeg", 10),)), Degraded((Degradation("pixels", 10),))]
    assert len({way.name for way in ways}) == len(ways)
    assert [way.variants for way in ways] == [1, 1, 1, 2, 2]


def variants() -> tuple[list[EmbeddedPhotos], np.ndarray]:
    """40 photos of 8 people as they are, and worse: more noise, and some without a face."""
    rng = np.random.default_rng(0)
    people = np.repeat(np.arange(8), 5)
    paths = tuple(f"{row}" for row in range(40))
    made = []
    for noise, lost in ((0.5, 0), (0.9, 6)):
        vectors = rng.normal(size=(8, 8))[people] + noise * rng.normal(size=(40, 8))
        vectors = (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)
        states = np.where(np.arange(40) < lost, State.NO_FACE, State.FOUND).astype(np.uint8)
        made.append(EmbeddedPhotos(paths, vectors, states, ()))
    return made, people


def test_rows_are_the_rates_of_the_pairs() -> None:
    made, people = variants()
    rows = np.array([(i, j) for i in range(40) for j in range(i + 1, 40)])
    same = people[rows[:, 0]] == people[rows[:, 1]]
    first, second = (tuple(str(row) for row in rows[:, side]) for side in (0, 1))
    pairs = v.LabelledPairs(first, second, same, np.zeros(len(same), np.int64))
    worse = [Degradation("jpeg", 10)]
    listed = robustness(made, worse, ListedPairs(pairs, "reject"), far=0.01)
    every = robustness(made, worse, EveryPair(people, "reject"), far=0.01)
    assert (every.same_pairs, every.different_pairs) == (80, 700)
    assert (listed.same_pairs, listed.different_pairs) == (80, 700)
    limits = []
    for one, other, embedded in zip(listed.rows, every.rows, made, strict=True):
        distances = distances_of(embedded, first, second, "reject")
        limits.append(v.threshold_at_far(distances, same, 0.01))
        tar, _ = v.rates(distances, same, limits[-1])
        kept_tar, kept_far = v.rates(distances, same, limits[0])
        for row in (one, other):
            assert row.threshold == pytest.approx(limits[-1], abs=1e-5)
            assert row.validation_rate == pytest.approx(tar)
            assert row.kept_validation_rate == pytest.approx(kept_tar)
            assert row.kept_far == pytest.approx(kept_far)
    assert [row.missing for row in every.rows] == [0, 6]
    assert every.resolved
    assert not robustness(made, worse, EveryPair(people, "reject"), far=1e-3).resolved
