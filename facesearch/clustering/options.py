"""What a clustering is asked to do."""

from __future__ import annotations

from dataclasses import dataclass

from cluster.agglomerative import LINKAGES, LinkageName
from facesearch.errors import InputError

METHODS = ("agglomerative", "hdbscan")
# Clusters of density are sure of more than average linkage is: they are taken apart only beyond so
# many times its threshold (chosen on half of LFW's people).
REFINE = 1.15
# How far beyond the encoder's threshold merging goes on, so that somewhat looser ones are cuts too
# (benchmarks/clustering/cut_and_growth.py: at 200,000 faces a seventh more time, with the graph).
LOOSER = 1.25


@dataclass(frozen=True)
class ClusterOptions:
    """How to cluster; see :func:`facesearch.clustering.run.run_clustering`.

    ``threshold`` is a mean squared distance. With ``from_gallery`` it is the encoder's: beyond it
    others are strangers, and the gallery's own merges tell where its people end
    (:mod:`cluster.adaptive`); it cuts only where there are too few faces to tell.
    ``attach_threshold`` is the one within which poor faces join. ``same_photo`` lets two faces of
    one photo be one person, as in collages. ``full`` clusters all faces anew, even where the run
    before could be built on. ``reach`` is the distance that average linkage merges up to for every
    threshold within it; for others it merges all it can. ``linkage`` is one of
    :data:`cluster.agglomerative.LINKAGES`.
    """

    method: str
    threshold: float
    min_size: int = 1
    min_quality: float = 0.0
    attach_threshold: float = 0.0
    same_photo: bool = False
    full: bool = False
    from_gallery: bool = False
    reach: float = 0.0
    linkage: LinkageName = "average"

    @property
    def cut(self) -> float:
        """The threshold that clusters are cut at."""
        return self.threshold * (1 if self.method == "agglomerative" else REFINE)

    def check(self) -> None:
        """Raise InputError for an unknown method or linkage, or ones that do not go together."""
        if self.method not in METHODS:
            raise InputError(f"expected method {' or '.join(METHODS)}, got {self.method!r}")
        if self.linkage not in LINKAGES:
            raise InputError(f"expected linkage {', '.join(LINKAGES)}, got {self.linkage!r}")
        if self.linkage != "average" and self.method != "agglomerative":
            raise InputError(
                f"expected method agglomerative with {self.linkage} linkage, got {self.method}, "
                "which has none"
            )
        if self.linkage != "average" and self.from_gallery:
            raise InputError(
                f"expected a threshold with {self.linkage} linkage, got none; those of the "
                "gallery and the encoder are for average linkage: give one with --threshold"
            )
