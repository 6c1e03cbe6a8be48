"""Upright square chips cut around five landmarks, as dlib's ``extract_image_chips`` cuts them.

dlib's recognition network was trained on chips cut in this very way, so its steps are kept: the
least-squares similarity from a mean face to the landmarks; where the chip would shrink the photo
by more than a factor of two, repeated halving by a 5 x 5 Gaussian; then bilinear interpolation
that drops the fraction, black outside the photo. Only the region around the face is touched.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from facesearch.align.similarity import similarity
from indexer.runtime.numba_jit import jit

# Mean position of the five landmarks in dlib's unit square (``get_face_chip_details``).
MEAN_FACE = np.array(
    [
        [0.8595674595992, 0.2134981538014],
        [0.6460604764104, 0.2289674387677],
        [0.1205750620789, 0.2137274526848],
        [0.3340850613712, 0.2290642403242],
        [0.4901123135679, 0.6277975316475],
    ]
)


def face_chips(
    photo: NDArray[np.uint8], landmarks: NDArray[np.float64], size: int, padding: float
) -> NDArray[np.uint8]:
    """Chips uint8 (n, size, size, 3) of ``photo``, RGB uint8 (height, width, 3).

    ``landmarks`` float64 (n, 5, 2): x, y in pixels of the photo, in the order of
    :func:`facesearch.align.shape_predictor.five_point_predictor`. ``padding``: how much of the
    face's size to add on each side.
    """
    target = (padding + MEAN_FACE) / (2 * padding + 1) * size
    chips = np.zeros((len(landmarks), size, size, 3), np.uint8)
    points = readonly(np.asarray(landmarks, np.float64).reshape(-1, 5, 2))
    cut_chips(readonly(photo), points, readonly(target), chips)
    return chips


@jit
def halve(image: Any, top: int, left: int, height: int, width: int) -> Any:
    """A region of ``image`` uint8 (rows, columns, 3) at half size, smoothed by 1 4 6 4 1 both ways.

    Pixel (row, column) of the result is centred on the region's (2 row + 2, 2 column + 2). Nothing
    is left of a region of 8 pixels or fewer along one side (as in dlib).
    """
    if height <= 8 or width <= 8:
        return np.empty((0, 0, 3), np.uint8)
    half = np.empty(((height - 3) // 2, (width - 3) // 2, 3), np.uint8)
    channels, stride = image.reshape(-1), 3 * image.shape[1]
    sums = np.empty(width * 3, np.uint16)
    smooth = np.empty(width * 3 - 12, np.uint8)
    for row in range(half.shape[0]):
        start = (top + 2 * row) * stride + 3 * left
        add_rows(channels[start:], stride, sums)
        add_columns(sums, smooth)
        for pixel in range(half.shape[1]):
            for channel in range(3):
                half[row, pixel, channel] = smooth[np.uintp(6 * pixel + channel)]
    return half


@jit
def add_rows(channels: Any, stride: int, sums: Any) -> None:
    """``sums`` uint16 of five rows, weighted 1 4 6 4 1, that start ``stride`` apart."""
    row0, row1, row2 = channels, channels[stride:], channels[2 * stride :]
    row3, row4 = channels[3 * stride :], channels[4 * stride :]
    for i in range(len(sums)):
        outer = np.uint16(np.uint16(row0[i]) + np.uint16(row4[i]))
        inner = np.uint16(np.uint16(row1[i]) + np.uint16(row3[i]))
        sums[i] = np.uint16(outer + np.uint16(inner * 4) + np.uint16(np.uint16(row2[i]) * 6))


@jit
def add_columns(sums: Any, smooth: Any) -> None:
    """``smooth`` uint8: pixels of ``sums`` and the four after, weighted 1 4 6 4 1, over 256.

    Every other one is not wanted, but so the loop runs in vector registers.
    """
    sums1, sums2, sums3, sums4 = sums[3:], sums[6:], sums[9:], sums[12:]
    for i in range(len(smooth)):
        outer = np.uint16(sums[i] + sums4[i])
        inner = np.uint16(sums1[i] + sums3[i])
        total = np.uint16(outer + np.uint16(inner * 4) + np.uint16(sums2[i] * 6))
        smooth[i] = np.uint8(total >> np.uint16(8))


@jit
def surroundings(centre_x: Any, centre_y: Any, reach: Any, height: Any, width: Any) -> Any:
    """Rows and columns (top, bottom, left, right; ends exclusive) within ``reach`` of a centre."""
    left, right = max(centre_x - reach, 0.0), min(centre_x + reach, width - 1.0)
    top, bottom = max(centre_y - reach, 0.0), min(centre_y + reach, height - 1.0)
    if left > right or top > bottom:
        return 0, 0, 0, 0
    first_row, first_column = int(np.floor(top + 0.5)), int(np.floor(left + 0.5))
    last_row, last_column = int(np.floor(bottom + 0.5)), int(np.floor(right + 0.5))
    return first_row, last_row + 1, first_column, last_column + 1


@jit
def sample_chip(image: Any, region: Any, origin: Any, step: Any, chip: Any) -> None:
    """Fill ``chip`` from a region of ``image`` uint8 (rows, columns, 3), by bilinear interpolation.

    ``region``: top, bottom, left, right. With ``origin`` (x, y) and ``step`` (u, v), the chip's
    pixel (row, column) lies in the region at x + u column - v row, y + v column + u row. It is
    black where its four neighbours are not all in the region, and its fraction is dropped.
    """
    top, bottom, left, right = region
    size, width = len(chip), image.shape[1]
    channels = image.reshape(-1)[3 * (top * width + left) :]
    at = np.empty(size, np.int32)
    across, down = np.empty(size), np.empty(size)
    words = np.empty((4, size), np.uint32)
    plane = np.empty(size, np.uint8)
    last = (float(right - left - 1), float(bottom - top - 1))
    for row in range(size):
        locate_row(row, origin, step, last, width, at, across, down)
        read_corners(channels, np.uintp(3 * width), at, words)
        for channel in range(3):
            blend_row(words, channel, across, down, plane)
            for column in range(size):
                chip[row, column, channel] = plane[column]


@jit
def locate_row(  # noqa: PLR0917 - compiled code takes no keywords
    row: int, origin: Any, step: Any, last: Any, width: int, at: Any, across: Any, down: Any
) -> None:
    """Where a row of a chip falls: ``at`` int32 is upper left neighbour's row * width + column.

    It is -1 where the neighbour is not left of and above ``last`` (column, row) of the region.
    ``across`` and ``down`` float64 are the fractions on from that neighbour.
    """
    x, y = origin
    u, v = step
    last_column, last_row = last
    for column in range(len(at)):
        at_x = (u * column - v * row) + x
        at_y = (v * column + u * row) + y
        west, north = np.floor(at_x), np.floor(at_y)
        inside = (west >= 0.0) & (north >= 0.0) & (west < last_column) & (north < last_row)
        at[column] = np.int32(north * width + west) if inside else np.int32(-1)
        across[column], down[column] = at_x - west, at_y - north


@jit
def word(channels: Any, first: Any) -> Any:
    """Four successive ``channels`` as uint32, the first lowest; the compiler makes it one load."""
    low = np.uint32(channels[first]) | (np.uint32(channels[first + np.uintp(1)]) << np.uint32(8))
    return np.uint32(
        low
        | (np.uint32(channels[first + np.uintp(2)]) << np.uint32(16))
        | (np.uint32(channels[first + np.uintp(3)]) << np.uint32(24))
    )


@jit
def read_corners(channels: Any, stride: Any, at: Any, words: Any) -> None:
    """``words`` uint32 (4, size) of the neighbours: upper left and right, lower left and right."""
    upper_left, upper_right, lower_left, lower_right = words[0], words[1], words[2], words[3]
    for column in range(len(at)):
        if at[column] < 0:
            upper_left[column] = upper_right[column] = np.uint32(0)
            lower_left[column] = lower_right[column] = np.uint32(0)
        else:
            first = np.uintp(3) * np.uintp(at[column])
            upper_left[column] = word(channels, first)
            upper_right[column] = word(channels, first + np.uintp(2))
            lower_left[column] = word(channels, first + stride)
            lower_right[column] = word(channels, first + stride + np.uintp(2))


@jit
def blend_row(words: Any, channel: Any, across: Any, down: Any, blend: Any) -> None:
    """One channel of the four ``words``, blended in dlib's order of operations; uint8 (size,)."""
    upper_left, upper_right, lower_left, lower_right = words[0], words[1], words[2], words[3]
    byte = np.uint32(255)
    left, right = np.uint32(8 * channel), np.uint32(8 * channel + 8)
    for i in range(len(blend)):
        rest = 1.0 - across[i]
        upper = rest * np.int32((upper_left[i] >> left) & byte)
        upper += across[i] * np.int32((upper_right[i] >> right) & byte)
        lower = rest * np.int32((lower_left[i] >> left) & byte)
        lower += across[i] * np.int32((lower_right[i] >> right) & byte)
        blend[i] = np.uint8(np.int32((1.0 - down[i]) * upper + down[i] * lower))


@jit
def cut_chip(photo: Any, landmarks: Any, target: Any, chip: Any) -> None:
    """Fill ``chip`` uint8 (size, size, 3), black before, so that ``landmarks`` lie on ``target``.

    Landmarks that define no similarity, all being one point, leave it black.
    """
    size = len(chip)
    a, b, c, d = similarity(target, landmarks)
    scale, middle = np.hypot(a, b), size / 2.0
    if scale == 0.0:
        return
    x, y = (a - b) * middle + c, (b + a) * middle + d
    # As in dlib, the chip's outermost pixels lie half a photo pixel, not half a chip pixel,
    # inside the square that the similarity gives.
    half_side = (size * scale - 1.0) / 2.0
    depth, margin, next_half = 0, 2.0, half_side / 2.0
    while 2.0 * next_half + 1.0 > size:
        depth, margin, next_half = depth + 1, 2.0 * margin + 2.0, next_half / 2.0
    cosine, sine = a / scale, b / scale
    reach = half_side * (abs(cosine) + abs(sine)) + margin
    region = surroundings(x, y, reach, photo.shape[0], photo.shape[1])
    top, bottom, left, right = region
    x, y = x - left, y - top
    for _ in range(depth):
        x, y, half_side = x / 2.0 - 1.25, y / 2.0 - 0.75, half_side / 2.0  # dlib's point_down
    step = 2.0 * half_side / (size - 1)
    along, across = cosine * step, sine * step
    origin = (x - half_side * (cosine - sine), y - half_side * (cosine + sine))
    if depth == 0:
        sample_chip(photo, region, origin, (along, across), chip)
        return
    image = halve(photo, top, left, bottom - top, right - left)
    for _ in range(depth - 1):
        image = halve(image, 0, 0, image.shape[0], image.shape[1])
    sample_chip(image, (0, image.shape[0], 0, image.shape[1]), origin, (along, across), chip)


@jit
def cut_chips(photo: Any, landmarks: Any, target: Any, chips: Any) -> None:
    """Fill ``chips`` uint8 (n, size, size, 3), black before; see :func:`face_chips`."""
    for face in range(len(landmarks)):
        cut_chip(photo, landmarks[face], target, chips[face])


def readonly(array: NDArray[Any]) -> NDArray[Any]:
    """A contiguous read-only view (a copy only if not contiguous).

    Numba compiles once for arrays that can be written and once for those that cannot; decoded
    photos come as either, so all are shown to the kernels as the latter.
    """
    view = np.ascontiguousarray(array).view()
    view.flags.writeable = False
    return view
