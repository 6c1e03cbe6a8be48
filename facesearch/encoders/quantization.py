"""How large the numbers inside a network get, which int8 inference must know beforehand.

Measured once on real chips (:mod:`facesearch.encoders.int8_calibration`) and kept as a small JSON
file. The same ranges give the same vectors on every machine up to rounding, so their digest is part
of what a gallery remembers of its vectors.
"""

from __future__ import annotations

import hashlib
import json
import math
from dataclasses import asdict, dataclass
from pathlib import Path

from facesearch.encoders.network_ir import INPUT, Network
from facesearch.errors import WeightsError
from indexer.storage.plain_files import read_json

PACKAGED = Path(__file__).parent / "data"
PIXEL_RANGE = 255.0


@dataclass(frozen=True)
class ActivationRanges:
    """The largest input of each convolution, by the node it comes from; the smallest is 0.

    ``network``: the digest of the network they were measured in; ``chips``: how many were seen.
    """

    network: str
    chips: int
    largest: dict[int, float]

    def of(self, node: int) -> float:
        """The upper end for convolutions that read ``node``."""
        return PIXEL_RANGE if node == INPUT else self.largest[node]

    @property
    def digest(self) -> str:
        """The first twelve hexadecimal digits of the SHA-256 of all of it."""
        return hashlib.sha256(self.to_json().encode()).hexdigest()[:12]

    def to_json(self) -> str:
        """The file's text."""
        return json.dumps(asdict(self), indent=1) + "\n"


def read_ranges(path: Path, network: Network) -> ActivationRanges:
    """Ranges kept in a file; raises WeightsError unless they are whole and of ``network``."""
    try:
        stored = read_json(path.resolve())
        ranges = ActivationRanges(
            str(stored["network"]),
            int(stored["chips"]),
            {int(node): float(value) for node, value in stored["largest"].items()},
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise WeightsError(
            f"cannot read the int8 ranges {path}: {type(error).__name__} {error}; "
            "use --precision fp32, or calibrate again"
        ) from error
    missing = convolution_sources(network) - set(ranges.largest)
    usable = all(math.isfinite(value) and value > 0 for value in ranges.largest.values())
    if ranges.network != network.digest or missing or not usable:
        raise WeightsError(
            f"{path} has ranges of another network or not all of them; "
            "use --precision fp32, or calibrate again"
        )
    return ranges


def convolution_sources(network: Network) -> set[int]:
    """The nodes, but for the chips themselves, that convolutions read."""
    return {network.nodes[index].inputs[0] for index in network.convolutions} - {INPUT}
