"""What a face's vector is worth: components against plain versions, and what makes it less."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.typing import NDArray

from facesearch.detect.types import Detections
from facesearch.quality import (
    DLIB_BY_YUNET,
    MIN_QUALITY,
    SCORED,
    SCORED_AND_NORMED,
    SCORED_BY_YUNET,
    UNSCORED,
    HingeLogistic,
    Qualities,
    QualityModel,
    Term,
    components,
    head_pose,
    measure,
    quality_model,
    sharpness_and_noise,
)

DATA = Path(os.environ.get("FACESEARCH_TEST_DATA", "../shared/data"))
MODELS = {"unscored": UNSCORED, "scored": SCORED, "scored and normed": SCORED_AND_NORMED}
HEAD = np.array(
    [[-0.5, 0, 0], [0.5, 0, 0], [0, 0.593, -0.45], [-0.439, 1.092, -0.05], [0.439, 1.092, -0.05]]
)


def picture(seed: int = 0, side: int = 150) -> NDArray[np.uint8]:
    """A chip with shapes of all sizes and soft edges, as a face has."""
    generator = np.random.default_rng(seed)
    chip = np.full((side, side, 3), 110, np.uint8)
    for _ in range(60):
        x, y = generator.integers(0, side, 2).tolist()
        colour = generator.integers(30, 220, 3).tolist()
        cv2.circle(chip, (x, y), int(generator.integers(2, 25)), colour, -1)
    return np.asarray(cv2.GaussianBlur(chip, (0, 0), 1.0), np.uint8)


def head(
    yaw: float = 0, pitch: float = 0, roll: float = 0, eyes: float = 40
) -> NDArray[np.float32]:
    """Landmarks float32 (1, 5, 2) of the model head, turned by degrees and seen from afar."""
    (cy, cp, cr), (sy, sp, sr) = (f(np.radians([-yaw, -pitch, roll])) for f in (np.cos, np.sin))
    about_y = np.array([[cy, 0, sy], [0, 1, 0], [-sy, 0, cy]])
    about_x = np.array([[1, 0, 0], [0, cp, -sp], [0, sp, cp]])
    about_z = np.array([[cr, -sr, 0], [sr, cr, 0], [0, 0, 1]])
    turned = HEAD @ (about_z @ about_y @ about_x).T
    return (eyes * turned[None, :, :2] + 100).astype(np.float32)


def faces(landmarks: NDArray[np.float32], score: float = 0.9999) -> Detections:
    n = len(landmarks)
    return Detections(np.zeros((n, 4), np.float32), landmarks, np.full(n, score, np.float32))


def quality(  # noqa: PLR0917 - faults by name
    model: QualityModel,
    chip: NDArray[np.uint8] | None = None,
    landmarks: NDArray[np.float32] | None = None,
    score: float = 0.9999,
    norm: float = 1.5,
    upright: float | None = None,
) -> float:
    chips = (picture() if chip is None else chip)[None]
    found = faces(head() if landmarks is None else landmarks, score)
    if upright is not None:
        found = replace(found, upright=np.array([upright], np.float32))
    return float(measure(chips, [found], np.array([norm], np.float32), model).quality[0])


def plain_sharpness_and_noise(chip: NDArray[np.uint8]) -> tuple[float, float]:
    grey = cv2.cvtColor(chip, cv2.COLOR_RGB2GRAY)
    small = cv2.resize(grey.astype(float), (64, 64), interpolation=cv2.INTER_AREA)[10:54, 10:54]
    deviation = max(small.std(), 2.0)
    laplacian = [
        small[y - 1, x] + small[y + 1, x] + small[y, x - 1] + small[y, x + 1] - 4 * small[y, x]
        for y in range(1, 43)
        for x in range(1, 43)
    ]
    edge = len(grey) // 6
    middle = grey.astype(float)[edge : len(grey) - edge, edge : len(grey) - edge]
    mask = np.array([[1, -2, 1], [-2, 4, -2], [1, -2, 1]])
    n = len(middle)
    residue = [
        abs((middle[y - 1 : y + 2, x - 1 : x + 2] * mask).sum())
        for y in range(1, n - 1)
        for x in range(1, n - 1)
    ]
    noise = np.sqrt(np.pi / 2) * sum(residue) / (6 * (n - 2) ** 2)
    return float(np.var(laplacian) / deviation**2), float(noise / deviation)


@pytest.mark.parametrize("side", [96, 150, 160])
def test_sharpness_and_noise_are_those_of_a_plain_version(side: int) -> None:
    noisy = np.random.default_rng(1).integers(0, 256, (side, side, 3), dtype=np.uint8)
    chips = np.stack([picture(0, side), picture(1, side), noisy, np.zeros_like(noisy)])
    expected = np.array([plain_sharpness_and_noise(chip) for chip in chips])
    np.testing.assert_allclose(np.stack(sharpness_and_noise(chips), 1), expected, rtol=1e-5)


def test_noise_is_the_standard_deviation_that_was_added() -> None:
    even = np.full((150, 150, 1), 120.0)
    even[:, :75] = 60  # contrast of 30, and an edge that is no noise
    added = np.random.default_rng(0).normal(0, 6, even.shape)
    chip = np.repeat(np.clip(np.round(even + added), 0, 255), 3, axis=2).astype(np.uint8)
    _, noise = sharpness_and_noise(chip[None])
    assert noise[0] == pytest.approx(6 / 30, rel=0.1)


def test_exposure_does_not_count() -> None:
    chip = picture()
    dark = np.round(chip * 0.4).astype(np.uint8)
    sharpness, noise = sharpness_and_noise(np.stack([chip, dark]))
    assert sharpness[1] == pytest.approx(sharpness[0], rel=0.02)
    assert noise[1] == pytest.approx(noise[0], abs=0.01)  # fewer grey levels are some noise


@given(st.floats(-60, 60), st.floats(-40, 40), st.floats(-170, 170), st.floats(3, 500))
def test_pose_of_the_model_head_is_found(
    yaw: float, pitch: float, roll: float, eyes: float
) -> None:
    pose = head_pose(head(yaw, pitch, roll, eyes))
    found = [pose.yaw[0], pose.pitch[0], pose.roll[0]]
    np.testing.assert_allclose(found, [yaw, pitch, roll], atol=0.05)


def test_a_nose_to_the_right_is_a_head_turned_to_the_right_of_the_image() -> None:
    turned = head()
    turned[0, 2, 0] += 8
    up = head()
    up[0, 2, 1] -= 8
    assert head_pose(turned).yaw[0] > 10
    assert head_pose(up).pitch[0] > 10


@pytest.mark.parametrize("name", MODELS)
def test_every_fault_makes_a_face_worse(name: str) -> None:
    model = MODELS[name]
    blurred = [cv2.GaussianBlur(picture(), (0, 0), sigma) for sigma in (1, 3, 5, 8, 12)]
    generator = np.random.default_rng(0)
    noisy = [
        np.clip(picture() + generator.normal(0, sigma, (150, 150, 3)), 0, 255).astype(np.uint8)
        for sigma in (10, 30, 50, 80)
    ]
    falling = {
        "blur": [quality(model, chip=chip) for chip in blurred],
        "noise": [quality(model, chip=chip) for chip in noisy],
        "yaw": [quality(model, landmarks=head(yaw=yaw)) for yaw in (0, 40, 55, 70)],
        "other yaw": [quality(model, landmarks=head(yaw=-yaw)) for yaw in (0, 40, 55, 70)],
        "pitch": [quality(model, landmarks=head(pitch=pitch)) for pitch in (0, 35, 50)],
        "size": [quality(model, landmarks=head(eyes=eyes)) for eyes in (80, 8, 4, 2)],
    }
    if name != "unscored":
        falling["score"] = [quality(model, score=score) for score in (0.9999, 0.99, 0.9, 0.6)]
    if name == "scored and normed":
        falling["norm"] = [quality(model, norm=norm) for norm in (1.5, 1.35, 1.2)]
    for fault, values in falling.items():
        assert all(np.diff(values) < 0), (fault, values)


@pytest.mark.parametrize("name", MODELS)
def test_a_good_face_is_good_and_none_is_none(name: str) -> None:
    assert quality(MODELS[name]) > 0.9
    black = np.zeros((150, 150, 3), np.uint8)
    assert quality(MODELS[name], chip=black, landmarks=np.zeros((1, 5, 2), np.float32)) < 0.05


def test_models_know_their_detector_and_encoder() -> None:
    assert quality_model("mtcnn-1.0.0", "dlib-resnet-v1") is SCORED_AND_NORMED
    assert quality_model("mtcnn-1.0.0", "facenet-vggface2") is SCORED
    assert quality_model("yunet-0123456789ab", "dlib-resnet-v1") is DLIB_BY_YUNET
    assert quality_model("yunet-0123456789ab", "retail-0095") is SCORED_BY_YUNET
    assert quality_model("scrfd-0123456789ab", "dlib-resnet-v1") is UNSCORED
    for name, model in MODELS.items():
        norms = [quality(model, norm=norm) for norm in (0.01, 1.5, 400.0)]
        scores = [quality(model, score=score) for score in (0.1, 0.9999)]
        assert (len(set(norms)) > 1) == (name == "scored and normed")
        assert (len(set(scores)) > 1) == (name != "unscored")


@pytest.mark.parametrize("model", [SCORED_BY_YUNET, DLIB_BY_YUNET])
def test_faults_that_yunets_scores_leave_to_be_seen_make_a_face_worse(
    model: QualityModel,
) -> None:
    chips = [cv2.GaussianBlur(picture(), (0, 0), sigma) for sigma in (1, 5, 8, 12)]
    falling = {
        "blur": [quality(model, chip=chip) for chip in chips],
        "yaw": [quality(model, landmarks=head(yaw=yaw)) for yaw in (0, 45, 70)],
        "pitch": [quality(model, landmarks=head(pitch=pitch)) for pitch in (0, 35, 50)],
        "score": [quality(model, score=score) for score in (0.95, 0.9, 0.8, 0.6)],
        "upright": [quality(model, score=0.9, upright=margin) for margin in (1.0, 0.05, 0.0, -0.1)],
    }
    for fault, values in falling.items():
        assert all(np.diff(values) < 0), (fault, values)
    assert quality(model) > 0.9
    assert model is DLIB_BY_YUNET or falling["score"][-1] < MIN_QUALITY
    assert falling["upright"][-1] < MIN_QUALITY  # a face that does not stand forms no group


@settings(deadline=None)
@given(
    hnp.arrays(np.float32, (3, 5, 2), elements=st.floats(-1e6, 1e6, width=32)),
    hnp.arrays(np.float32, 3, elements=st.floats(0, 1, width=32)),
    hnp.arrays(np.float32, 3, elements=st.floats(0, 1e6, width=32)),
    st.sampled_from(sorted(MODELS)),
    st.integers(0, 2**32),
)
def test_quality_is_a_probability_whatever_arrives(
    landmarks: NDArray[np.float32],
    scores: NDArray[np.float32],
    norms: NDArray[np.float32],
    name: str,
    seed: int,
) -> None:
    chips = np.random.default_rng(seed).integers(0, 256, (3, 24, 24, 3), dtype=np.uint8)
    chips[0] = chips[0, 0, 0]
    found = Detections(np.zeros((3, 4), np.float32), landmarks, scores)
    measured = measure(chips, [found], norms, MODELS[name])
    assert ((measured.quality >= 0) & (measured.quality <= 1)).all()
    for values in (measured.sharpness, measured.noise):
        assert (np.isfinite(values) & (values >= 0)).all()
    again = measure(chips, [found], norms, MODELS[name])
    assert all(
        np.array_equal(a, b)
        for a, b in zip(vars(measured).values(), vars(again).values(), strict=True)
    )


def test_faces_of_several_photos_are_measured_as_one_by_one() -> None:
    chips = np.stack([picture(seed) for seed in range(4)])
    found = [
        faces(head(yaw=20)),
        Detections.none(),
        faces(np.concatenate([head(), head(50)])),
        faces(head(0, 30)),
    ]
    norms = np.array([1.3, 1.4, 1.5, 1.6], np.float32)
    together = measure(chips, found, norms, SCORED_AND_NORMED)
    alone = [
        measure(chips[row : row + 1], [faces(marks)], norms[row : row + 1], SCORED_AND_NORMED)
        for row, marks in enumerate([head(yaw=20), head(), head(50), head(0, 30)])
    ]
    for row, each in enumerate(alone):
        assert together.rows(row, row + 1).quality == each.quality


def test_no_face_has_no_quality() -> None:
    none = np.zeros((0, 150, 150, 3), np.uint8)
    for found in ([], [Detections.none()]):
        assert len(measure(none, found, np.zeros(0, np.float32), SCORED_AND_NORMED)) == 0


def test_mistakes_are_reported() -> None:
    with pytest.raises(ValueError, match="expected 1 chips and norms, got 2"):
        measure(np.zeros((2, 9, 9, 3), np.uint8), [faces(head())], np.zeros(2, np.float32), SCORED)
    with pytest.raises(ValueError, match=r"expected noise float32 \(1,\)"):
        Qualities(np.zeros(1, np.float32), np.zeros(1, np.float32), np.zeros(2, np.float32))


def test_a_component_beyond_enough_counts_no_more() -> None:
    model = HingeLogistic(1.0, (Term("size", 4.0, 2.0),))
    found = model.probability({"size": np.array([3.0, 4.0, 9.0])})
    np.testing.assert_allclose(found, 1 / (1 + np.exp(-np.array([-1.0, 1.0, 1.0]))))


def test_the_pixels_between_the_eyes_are_those_of_the_decoded_photo() -> None:
    flat = np.zeros(1), np.zeros(1)
    one = np.ones(1, np.float32)
    assert components(*flat, head(eyes=32), one, one)["size"][0] == pytest.approx(5.0)


@pytest.mark.skipif(not (DATA / "photos").is_dir(), reason=f"no photos in {DATA}")
def test_real_faces_are_good_until_they_are_blurred() -> None:
    from facesearch.engine import create_engine

    engine = create_engine()
    path = sorted((DATA / "photos" / "dlib").glob("*.jpg"))[0]
    photo = np.ascontiguousarray(cv2.imread(str(path))[:, :, ::-1])
    found = engine.detect([photo])
    (sharp,) = engine.embed([photo], found)
    soft = np.asarray(cv2.GaussianBlur(photo, (0, 0), 8))
    (blurred,) = engine.embed([soft], found)
    assert len(sharp) > 2
    assert np.median(sharp.qualities.quality) > 0.8
    assert (blurred.qualities.quality <= sharp.qualities.quality).all()
    assert np.median(blurred.qualities.quality) < 0.5
    # What the blur leaves of a large face, the detector's score tells.
    (again,) = engine.faces([soft])
    assert len(again) == 0 or again.qualities.quality.mean() < sharp.qualities.quality.mean()
