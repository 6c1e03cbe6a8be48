"""Where an encoder wants a face's five points on its chip: named templates, and a user's own."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from facesearch.errors import InputError
from indexer.argument_checks import describe

Point = tuple[float, float]

_LEAST_SPREAD = 0.05  # of the side, between the outermost points


@dataclass(frozen=True)
class Template:
    """Five points on a square chip, x and y in units of its side.

    In the order of :class:`facesearch.detect.types.Detections`: left eye, right eye, nose, left and
    right mouth corner, left and right as seen in the image.
    """

    name: str
    points: tuple[Point, ...]

    def __post_init__(self) -> None:
        problem = _problem(self.points)
        if problem:
            raise InputError(
                "expected five points of a chip (left eye, right eye, nose, left and right mouth "
                f"corner) as x,y in units of its side, got {problem}"
            )


def _problem(points: Sequence[Point]) -> str:
    """What is wrong with five points of a template; "" where nothing is."""
    try:
        values = [float(value) for x, y in points for value in (x, y)]
    except (TypeError, ValueError):
        return describe(points)
    if len(points) != 5:
        return f"{len(points)} points"
    if not all(math.isfinite(value) and -1 <= value <= 2 for value in values):
        return f"values from {min(values):g} to {max(values):g}; divide pixels by the side"
    if max(math.dist(points[0], point) for point in points) < _LEAST_SPREAD:
        return "points that all but coincide"
    return ""


# The points that InsightFace's ArcFace networks, and those trained like them, are given on chips of
# 112 pixels (insightface, python-package/insightface/utils/face_align.py).
ARCFACE = Template(
    "arcface",
    tuple(
        (x / 112, y / 112)
        for x, y in (
            (38.2946, 51.6963),
            (73.5318, 51.5014),
            (56.0252, 71.7366),
            (41.5493, 92.3655),
            (70.7299, 92.2041),
        )
    ),
)
# As the page of Open Model Zoo's face-reidentification-retail-0095 states them.
OPEN_MODEL_ZOO = Template(
    "open-model-zoo",
    (
        (0.31556875, 0.4615741071428571),
        (0.6826229166666667, 0.4615741071428571),
        (0.5002625, 0.6405053571428571),
        (0.349471875, 0.8246919642857142),
        (0.6534364583333333, 0.8246919642857142),
    ),
)
TEMPLATES = {template.name: template for template in (ARCFACE, OPEN_MODEL_ZOO)}


def template_named(name: str) -> Template:
    """The template called ``name``; raises InputError naming those there are."""
    if name not in TEMPLATES:
        raise InputError(f"expected one of the templates {', '.join(TEMPLATES)}, got {name!r}")
    return TEMPLATES[name]


def template_of_text(text: str) -> Template:
    """A template of a user's own from five points such as "0.3,0.4 0.7,0.4 0.5,0.6 ...".

    Raises InputError for anything else.
    """
    try:
        points = tuple((float(x), float(y)) for x, y in (each.split(",") for each in text.split()))
    except ValueError:
        raise InputError(
            f'expected five points such as "0.34,0.46 0.66,0.46 0.5,0.64 0.37,0.82 0.63,0.82", '
            f"got {text!r}"
        ) from None
    return Template("own:" + ";".join(f"{x:g},{y:g}" for x, y in points), points)
