"""What an upgrade did."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from facesearch.embed import Failure

Progress = Callable[[int, int], None]


@dataclass
class UpgradeReport:
    """What an upgrade to ``encoder`` did: faces embedded now, shards made before and now.

    ``failures`` are photos with faces that could not be read; unless these were to be dropped, the
    gallery stays as it was while there are any, or mixed, where it was upgraded shard by shard:
    ``mixed`` says so. ``upgraded``: all vectors are of the encoder.
    """

    encoder: str
    faces: int = 0
    shards_before: int = 0
    shards: int = 0
    dropped: int = 0
    failures: list[Failure] = field(default_factory=list)
    upgraded: bool = False
    mixed: bool = False
