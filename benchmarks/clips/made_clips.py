"""Clips with known truth: pictures of faces move over backgrounds, cross, and are cut away.

Each clip is animation, not film: a face is a still photo that moves, grows, leans and changes its
light, and may change for another photo of the same person. What is measured on these says how faces
are followed, not how well they are recognised in film.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

Pixels = NDArray[np.uint8]

_FINE_TICKS = 90_000  # a second of clocks that can say when any frame is shown
_FACE = (0.5, 0.72)  # width and height of the ellipse of a square picture that is pasted
_LEAST_SHOWN = 0.5  # the share of a face that must be free for it to count as there


@dataclass(frozen=True)
class Actor:
    """A person in a shot: square RGB ``pictures``, shown one after the other.

    Centres go from ``start`` to ``end`` (x, y, in shares of the frame) and sides, in pixels, from
    ``sides[0]`` to ``sides[1]``, while ``seconds`` (from, to) of the shot pass. The face leans by
    up to ``lean`` degrees and its light changes by up to ``light``.
    """

    person: str
    pictures: tuple[Pixels, ...]
    start: tuple[float, float]
    end: tuple[float, float]
    sides: tuple[float, float]
    seconds: tuple[float, float] = (0.0, 1e9)
    lean: float = 0.0
    light: float = 0.0
    change: float = 1.0  # seconds that a picture is shown


@dataclass(frozen=True)
class ClipShot:
    """A shot of so many ``seconds``: later actors stand before earlier ones."""

    seconds: float
    background: Pixels
    actors: tuple[Actor, ...]


@dataclass(frozen=True)
class TrueFace:
    """Who is where when: ``box`` of the face in pixels of the upright frame, in shot ``shot``."""

    time_us: int
    shot: int
    person: str
    box: tuple[float, float, float, float]


@dataclass(frozen=True)
class ClipFormat:
    """How a clip is stored. ``jitter`` moves the times of frames by up to that share of one frame;
    ``turn`` degrees (0, 90, 180, 270) are stored turned, with the matrix that turns them back.
    ``grain`` is the standard deviation of the noise of each frame's brightness, in levels."""

    fps: int = 25
    codec: str = "libx264"
    turn: int = 0
    jitter: float = 0.0
    grain: float = 0.0
    keyframe_every: int = 50
    options: tuple[tuple[str, str], ...] = ()


def write_clip(
    path: Path, shots: Sequence[ClipShot], form: ClipFormat = ClipFormat(), seed: int = 0
) -> list[TrueFace]:
    """Write the shots as one video; who is on each of its frames."""
    import av

    rng = np.random.default_rng(seed)
    truth: list[TrueFace] = []
    with av.open(str(path), "w") as container:
        stream: Any = container.add_stream(form.codec, rate=form.fps, options=dict(form.options))
        height, width = shots[0].background.shape[:2]
        stream.width, stream.height = (width, height) if form.turn % 180 == 0 else (height, width)
        stream.pix_fmt = "yuv420p"
        ticks_a_second = _FINE_TICKS if form.jitter else form.fps
        stream.codec_context.time_base = Fraction(1, ticks_a_second)
        stream.codec_context.gop_size = form.keyframe_every
        if form.turn:
            stream.set_display_rotation(form.turn)
        grain = Grain(form.grain, (width, height), seed)
        number = 0
        for at, shot in enumerate(shots):
            for step in range(round(shot.seconds * form.fps)):
                drawn, faces = draw_frame(shot, step / form.fps)
                drawn = grain.over(drawn)
                moved = rng.uniform(0, form.jitter) if form.jitter else 0.0
                ticks = round((number + moved) * ticks_a_second / form.fps)
                stored = np.ascontiguousarray(np.rot90(drawn, -form.turn // 90))
                frame = av.VideoFrame.from_ndarray(stored, format="rgb24")
                frame.pts, frame.time_base = ticks, Fraction(1, ticks_a_second)
                container.mux(stream.encode(frame))
                time_us = round(ticks * 1_000_000 / ticks_a_second)
                truth += [TrueFace(time_us, at, person, box) for person, box in faces]
                number += 1
        container.mux(stream.encode(None))
    return truth


class Grain:
    """Noise as sensors and film have it: other in each frame, of standard deviation ``levels``.

    Each frame gets another part of one larger field of noise: to draw it takes no time.
    """

    _MARGIN = 64

    def __init__(self, levels: float, size: tuple[int, int], seed: int) -> None:
        self._rng = np.random.default_rng(seed)
        width, height = (each + self._MARGIN for each in size)
        noise = self._rng.normal(0, levels, (height, width)) if levels else np.zeros((0, 0))
        self._field = np.rint(noise).astype(np.int16)

    def over(self, frame: Pixels) -> Pixels:
        """A frame RGB uint8 (h, w, 3) with its noise."""
        if not self._field.size:
            return frame
        top, left = self._rng.integers(0, self._MARGIN, 2).tolist()
        height, width = frame.shape[:2]
        noise = self._field[top : top + height, left : left + width, None]
        return np.asarray(np.clip(frame + noise, 0, 255), np.uint8)


def draw_frame(
    shot: ClipShot, seconds: float
) -> tuple[Pixels, list[tuple[str, tuple[float, float, float, float]]]]:
    """The frame of a shot after so many seconds, and the faces that are to be seen in it."""
    frame = shot.background.copy()
    height, width = frame.shape[:2]
    shown: dict[int, NDArray[np.bool_]] = {}
    boxes: dict[int, tuple[float, float, float, float]] = {}
    whole: dict[int, int] = {}
    for number, actor in enumerate(shot.actors):
        first, last = actor.seconds[0], min(actor.seconds[1], shot.seconds)
        if not first <= seconds < last:
            continue
        share = (seconds - first) / max(last - first, 1e-9)
        pasted, mask = _placed(actor, share, seconds, (width, height))
        frame = np.where(mask[..., None] > 0, pasted, frame).astype(np.uint8)
        covered = mask > 0
        for behind in shown:
            shown[behind] &= ~covered
        shown[number] = covered
        side, centre = _side(actor, share), _centre(actor, share, (width, height))
        half = side * _FACE[0] / 2, side * _FACE[1] / 2
        boxes[number] = (
            centre[0] - half[0],
            centre[1] - half[1],
            centre[0] + half[0],
            centre[1] + half[1],
        )
        whole[number] = round(np.pi * half[0] * half[1])
    return frame, [
        (shot.actors[number].person, box)
        for number, box in boxes.items()
        if shown[number].sum() >= _LEAST_SHOWN * whole[number]
    ]


def _placed(
    actor: Actor, share: float, seconds: float, size: tuple[int, int]
) -> tuple[Pixels, Pixels]:
    """An actor's picture where it belongs in a frame of ``size``, and the mask of its ellipse."""
    picture = actor.pictures[int(seconds / actor.change) % len(actor.pictures)]
    side, centre = _side(actor, share), _centre(actor, share, size)
    swing = np.sin(2 * np.pi * seconds / 3)
    across = picture.shape[0]
    matrix = cv2.getRotationMatrix2D((across / 2, across / 2), actor.lean * swing, side / across)
    matrix[:, 2] += np.array(centre) - across / 2
    lit = np.clip(picture * (1 + actor.light * swing), 0, 255).astype(np.uint8)
    pasted = cv2.warpAffine(lit, matrix, size, flags=cv2.INTER_AREA)
    ellipse = np.zeros((across, across), np.uint8)
    axes = round(across * _FACE[0] * 0.72), round(across * _FACE[1] * 0.68)
    cv2.ellipse(ellipse, (across // 2, across // 2), axes, 0, 0, 360, 255, -1)
    mask = cv2.warpAffine(ellipse, matrix, size, flags=cv2.INTER_NEAREST)
    return np.asarray(pasted, np.uint8), np.asarray(mask, np.uint8)


def _side(actor: Actor, share: float) -> float:
    return actor.sides[0] + share * (actor.sides[1] - actor.sides[0])


def _centre(actor: Actor, share: float, size: tuple[int, int]) -> tuple[float, float]:
    x, y = (one + share * (two - one) for one, two in zip(actor.start, actor.end, strict=True))
    return x * size[0], y * size[1]


def background(seed: int, size: tuple[int, int] = (640, 360)) -> Pixels:
    """Soft coloured noise of ``size`` (width, height), in which no face is found."""
    rng = np.random.default_rng(seed)
    small = rng.integers(40, 216, (5, 8, 3)).astype(np.uint8)
    return np.asarray(cv2.resize(small, size, interpolation=cv2.INTER_CUBIC), np.uint8)
