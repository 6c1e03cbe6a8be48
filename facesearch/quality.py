"""Face quality: how likely a face is recognised, in [0, 1], and what that is estimated from.

The quality of a face is an estimate of the probability that it is a face at all *and* that its
vector comes within the encoder's verification threshold of another, undegraded photo of the same
person. So a greater quality predicts fewer false non-matches, which is what a quality score is for
(ISO/IEC 29794-5; Grother and Tabassi, "Performance of biometric quality measures", 2007), and the
detector's false finds come out low. It is the product of two logistic models over components that
are the field's usual ones; a component that is good enough counts no more than one that is better
(:class:`Term`), and no weight is negative, so a worse component never makes a better face.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from facesearch.detect.types import Detections

Floats = NDArray[np.float64]

# Below this quality a face takes no part in forming groups, and naming it calls for a warning.
MIN_QUALITY = 0.3

SHARPNESS_SIDE = 64  # pixels of the chip that sharpness is measured on
_LEAST_CONTRAST = 2.0  # grey levels; what varies less is an even area, not a picture
_LEAST_SHARPNESS, _LEAST_NOISE = 1e-3, 1 / 256  # where their logarithms end
_LEAST_DOUBT = 1e-6  # a score of 1 leaves as much

# A head's five points as Detections has them, in units of the distance between the eyes: x and y
# the medians over LFW View 1, z (towards the camera negative) of an adult head, from anthropometry.
_HEAD = np.array(
    [[-0.5, 0, 0], [0.5, 0, 0], [0, 0.593, -0.45], [-0.439, 1.092, -0.05], [0.439, 1.092, -0.05]]
)


@dataclass(frozen=True)
class Qualities:
    """The qualities of n faces, each float32 (n,), and what of them only the pixels can tell.

    ``quality`` is in [0, 1]. ``sharpness`` and ``noise`` are 0 or more, of the aligned chip; see
    :func:`sharpness_and_noise`. What else quality is made of follows from the detection and the
    vector's norm.
    """

    quality: NDArray[np.float32]
    sharpness: NDArray[np.float32]
    noise: NDArray[np.float32]

    def __post_init__(self) -> None:
        for name in ("quality", "sharpness", "noise"):
            array = getattr(self, name)
            if array.shape != self.quality.shape or array.ndim != 1 or array.dtype != np.float32:
                raise ValueError(
                    f"expected {name} float32 ({len(self.quality)},), got {array.dtype} "
                    f"{array.shape}"
                )

    def __len__(self) -> int:
        return len(self.quality)

    def rows(self, start: int, end: int) -> Qualities:
        """The faces from ``start`` up to ``end``."""
        return Qualities(self.quality[start:end], self.sharpness[start:end], self.noise[start:end])


@dataclass(frozen=True)
class Pose:
    """Where n heads look, in degrees, each float64 (n,): an estimate good to some ten degrees.

    ``yaw`` is positive where the head is turned to the image's right, ``pitch`` where it looks up,
    ``roll`` where it leans clockwise in the image.
    """

    yaw: Floats
    pitch: Floats
    roll: Floats


@dataclass(frozen=True)
class Term:
    """``weight`` (0 or more) times how far a component lies below ``enough``."""

    component: str
    enough: float
    weight: float


@dataclass(frozen=True)
class HingeLogistic:
    """A probability: the logistic function of ``intercept`` minus the sum of all terms."""

    intercept: float
    terms: tuple[Term, ...]

    def probability(self, components: dict[str, Floats]) -> Floats:
        """In [0, 1], float64 (n,), from components float64 (n,) by name."""
        logit: Any = self.intercept
        for term in self.terms:
            logit = logit - term.weight * np.maximum(0.0, term.enough - components[term.component])
        return np.asarray(1 / (1 + np.exp(-logit)), np.float64)


@dataclass(frozen=True)
class QualityModel:
    """How components become a quality: the probabilities of being a face and of being recognised.

    Scores mean something else for every detector, and norms for every encoder: a model uses either
    only where it was fitted to them. Without a model of scores, ``face`` is None and counts as 1.
    """

    face: HingeLogistic | None
    recognised: HingeLogistic

    def quality(self, components: dict[str, Floats]) -> NDArray[np.float32]:
        """In [0, 1], float32 (n,)."""
        quality = self.recognised.probability(components)
        if self.face is not None:
            quality = quality * self.face.probability(components)
        return quality.astype(np.float32)


# Fitted by ``python -m benchmarks.recognition.quality_score fit``: "recognised" to photos of LFW
# View 1 as they are and degraded, "face" to the 60 photos of WIDER FACE that no result is reported
# on.
UNSCORED = QualityModel(
    face=None,
    recognised=HingeLogistic(
        3.722,
        (
            Term("size", 5.53, 0.375),
            Term("sharpness", -1.12, 3.42),
            Term("silence", 3.92, 2.08),
            Term("yaw", -36.4, 0.0735),
            Term("pitch", -28.05, 0.119),
        ),
    ),
)
SCORED = QualityModel(
    face=HingeLogistic(7.603, (Term("certainty", 3.5, 2.67),)),
    recognised=HingeLogistic(
        4.153,
        (
            Term("size", 3.22, 1.43),
            Term("sharpness", -0.82, 2.6),
            Term("silence", 3.92, 1.98),
            Term("yaw", -34.83, 0.0721),
            Term("pitch", -28.05, 0.128),
            Term("certainty", 3.45, 1.13),
        ),
    ),
)
SCORED_AND_NORMED = QualityModel(
    face=HingeLogistic(7.648, (Term("certainty", 3.3, 2.71), Term("norm", 1.38, 11.7))),
    recognised=HingeLogistic(
        5.309,
        (
            Term("size", 3.22, 1.34),
            Term("sharpness", -0.82, 2.67),
            Term("silence", 3.92, 1.93),
            Term("yaw", -31.68, 0.0577),
            Term("pitch", -28.05, 0.127),
            Term("certainty", 3.45, 1.12),
            Term("norm", 1.61, 5.94),
        ),
    ),
)


# Fitted with retail-0095, and to photos of View 1 that were turned and left so too.
SCORED_BY_YUNET = QualityModel(
    face=HingeLogistic(7.538, (Term("certainty", 1.25, 8.26), Term("upright", 0.14, 10.0))),
    recognised=HingeLogistic(
        5.021,
        (
            Term("sharpness", -1.62, 6.97),
            Term("yaw", -35.0, 0.026),
            Term("pitch", -8.35, 0.0667),
            Term("certainty", 1.2, 8.0),
            Term("upright", 0.07, 27.6),
        ),
    ),
)


# What of its pixels dlib's encoder needs, with what YuNet's scores say of being a face at all.
DLIB_BY_YUNET = QualityModel(
    face=SCORED_BY_YUNET.face,
    recognised=HingeLogistic(
        UNSCORED.recognised.intercept, (*UNSCORED.recognised.terms, Term("upright", 0.07, 27.6))
    ),
)

# By how the names of detectors begin: the model of their scores, and those of encoders' norms too.
_MODELS = {
    "mtcnn-": (SCORED, {"dlib-resnet-v1": SCORED_AND_NORMED}),
    "yunet-": (SCORED_BY_YUNET, {"dlib-resnet-v1": DLIB_BY_YUNET}),
}


def quality_model(detector: str, encoder: str) -> QualityModel:
    """The model for the faces of a named detector and encoder."""
    for begins, (scored, normed) in _MODELS.items():
        if detector.startswith(begins):
            return normed.get(encoder, scored)
    return UNSCORED


def measure(
    chips: NDArray[np.uint8],
    found: Sequence[Detections],
    norms: NDArray[np.float32],
    model: QualityModel,
) -> Qualities:
    """The qualities of the n faces ``found`` in some photos.

    ``chips`` uint8 RGB (n, side, side, 3), aligned, in the order of ``found``; ``norms`` float32
    (n,), of the vectors before they were normalised. Detections count in pixels of the photo as it
    was when the chips were cut from it: a face that is large in a photo decoded at reduced scale
    is as small as its chip knows it. Raises ValueError where numbers of faces differ.
    """
    n = sum(len(each) for each in found)
    if len(chips) != n or norms.shape != (n,):
        raise ValueError(f"expected {n} chips and norms, got {len(chips)} and {norms.shape}")
    landmarks = np.concatenate(
        [np.zeros((0, 5, 2), np.float32), *(each.landmarks for each in found)]
    )
    none = np.zeros(0, np.float32)
    scores = np.concatenate([none, *(each.scores for each in found)])
    upright = np.concatenate([none, *(uprightness(each) for each in found)])
    sharpness, noise = sharpness_and_noise(chips)
    parts = components(sharpness, noise, landmarks, scores, norms, upright)
    return Qualities(model.quality(parts), sharpness.astype(np.float32), noise.astype(np.float32))


def uprightness(found: Detections) -> NDArray[np.float32]:
    """How surely faces stand as their landmarks say, (n,); 1 where the detector had no doubt."""
    return np.ones(len(found), np.float32) if found.upright is None else found.upright


def components(  # noqa: PLR0917 - the columns of a table of faces
    sharpness: Floats,
    noise: Floats,
    landmarks: NDArray[np.float32],
    scores: NDArray[np.float32],
    norms: NDArray[np.float32],
    upright: NDArray[np.float32] | None = None,
) -> dict[str, Floats]:
    """What models weigh, each float64 (n,), the greater the better.

    ``size``: log2 of the pixels between the eyes; ``sharpness``: log10; ``silence``: minus log2 of
    the noise; ``yaw`` and ``pitch``: minus the degrees off frontal; ``certainty``: minus log10 of
    what the detector's score leaves to 1; ``norm``: as it is; ``upright``: by how much the
    detector is surer of the face as it was aligned than of it turned, 1 where it had no doubt.
    """
    pose = head_pose(landmarks)
    eyes = np.linalg.norm(np.subtract(landmarks[:, 1], landmarks[:, 0], dtype=np.float64), axis=1)
    return {
        "size": np.log2(np.maximum(eyes, 1.0)),
        "sharpness": np.log10(np.maximum(sharpness, _LEAST_SHARPNESS)),
        "silence": -np.log2(np.maximum(noise, _LEAST_NOISE)),
        "yaw": -np.abs(pose.yaw),
        "pitch": -np.abs(pose.pitch),
        "certainty": -np.log10(np.maximum(1.0 - scores.astype(np.float64), _LEAST_DOUBT)),
        "norm": norms.astype(np.float64),
        "upright": np.ones(len(norms)) if upright is None else upright.astype(np.float64),
    }


def sharpness_and_noise(chips: NDArray[np.uint8]) -> tuple[Floats, Floats]:
    """Sharpness and noise float64 (n,) of chips uint8 RGB (n, side, side, 3), in their middle.

    Both are of the grey middle two thirds and relative to its contrast, so that exposure does not
    count. Sharpness is the variance of the Laplacian (Pech-Pacheco et al., "Diatom autofocusing in
    brightfield microscopy", 2000) of the chip at 64 x 64 pixels over the variance of its grey
    levels. Noise is Immerkaer's estimate of its standard deviation ("Fast noise variance
    estimation", 1996), which no straight edge adds to, over that of the grey levels.
    """
    import cv2  # noqa: PLC0415 - slow to import, and galleries are read without it

    sharpness, noise = np.zeros(len(chips)), np.zeros(len(chips))
    for row, chip in enumerate(chips):
        grey = cv2.cvtColor(chip, cv2.COLOR_RGB2GRAY)
        side = (SHARPNESS_SIDE, SHARPNESS_SIDE)
        # As float32: rounded to whole grey levels once more, the smoothest chips would gain detail.
        small = _middle(cv2.resize(grey.astype(np.float32), side, interpolation=cv2.INTER_AREA))
        contrast = max(float(cv2.meanStdDev(small)[1][0, 0]), _LEAST_CONTRAST)
        laplacian = cv2.filter2D(small, cv2.CV_32F, _LAPLACIAN)[1:-1, 1:-1]
        sharpness[row] = (float(cv2.meanStdDev(laplacian)[1][0, 0]) / contrast) ** 2
        residue = cv2.filter2D(_middle(grey), cv2.CV_32F, _IMMERKAER)[1:-1, 1:-1]
        deviation = np.sqrt(np.pi / 2) / 6 * cv2.norm(residue, cv2.NORM_L1) / residue.size
        noise[row] = deviation / contrast
    return sharpness, noise


_LAPLACIAN = np.array([[0, 1, 0], [1, -4, 1], [0, 1, 0]], np.float32)
_IMMERKAER = np.array([[1, -2, 1], [-2, 4, -2], [1, -2, 1]], np.float32)


def _middle(grey: NDArray[Any]) -> NDArray[Any]:
    edge = len(grey) // 6
    return grey[edge : len(grey) - edge, edge : len(grey) - edge]


def head_pose(landmarks: NDArray[np.float32]) -> Pose:
    """The pose of n heads from five landmarks each, float32 (n, 5, 2) as Detections has them.

    Pose from orthography and scaling (DeMenthon and Davis, "Model-based object pose in 25 lines of
    code", 1995, without the iterations): the linear map of a model head's points to the landmarks
    by least squares, and the rotation nearest to it. Landmarks that are all one point have pose 0.
    """
    head = _HEAD - _HEAD.mean(axis=0)
    points = np.asarray(landmarks, np.float64)
    points = points - points.mean(axis=1, keepdims=True)
    maps = np.einsum("npi,pj->nij", points, head @ np.linalg.inv(head.T @ head))
    maps[np.abs(maps).max(axis=(1, 2), initial=0.0) < np.finfo(np.float32).tiny] = np.eye(2, 3)
    left, _, right = np.linalg.svd(maps, full_matrices=False)
    rows = left @ right  # the first two rows of the rotation
    third = np.cross(rows[:, 0], rows[:, 1])
    return Pose(
        yaw=np.degrees(np.arctan2(third[:, 0], np.hypot(rows[:, 0, 0], rows[:, 1, 0]))),
        pitch=np.degrees(np.arctan2(-third[:, 1], third[:, 2])),
        roll=np.degrees(np.arctan2(rows[:, 1, 0], rows[:, 0, 0])),
    )
