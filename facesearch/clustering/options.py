"""Options of a clustering."""

from __future__ import annotations

import math
from dataclasses import dataclass

from cluster.agglomerative import LINKAGES, LinkageName
from facesearch.argument_checks import choice, number, whole_number
from facesearch.encoders import thresholds_in_use
from facesearch.errors import InputError
from facesearch.gallery.gallery import Gallery, require_gallery
from facesearch.quality import MIN_QUALITY

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
    one photo be one person, as in collages. ``full`` clusters all faces again, even where the
    previous run could be built on. ``reach`` is the distance that average linkage merges up to for
    every threshold within it; for others it merges all it can. ``linkage`` is one of
    :data:`cluster.agglomerative.LINKAGES`. With ``partitions`` above 0 the graph and the merges
    are made in so many parts, for galleries that are larger than one memory: by average linkage at
    the threshold, within :data:`cluster.partitioned.linkage.EPSILON`; no rule is learnt.
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
    partitions: int = 0

    @classmethod
    def for_gallery(
        cls,
        gallery: Gallery,
        *,
        method: str = "agglomerative",
        threshold: float | None = None,
        linkage: LinkageName = "average",
        min_size: int = 1,
        min_quality: float | None = None,
        same_photo: bool = False,
        full: bool = False,
        partitions: int = 0,
    ) -> ClusterOptions:
        """The options for the encoder that a gallery was made with.

        Without a ``threshold`` it is what the gallery's own impostors give at its size, at most the
        encoder's. ``min_quality`` is by default :data:`facesearch.quality.MIN_QUALITY`. Raises
        InputError for options out of range, or that do not go together.
        """
        require_gallery(gallery)
        defaults = thresholds_in_use(gallery.contract)
        cut = defaults.cluster if threshold is None else threshold
        options = cls(
            method,
            cut,
            min_size,
            MIN_QUALITY if min_quality is None else min_quality,
            # Poor faces resemble many: they join only what is as near as a name needs a face to be.
            attach_threshold=min(_distance(cut, "threshold"), defaults.identification),
            same_photo=same_photo,
            full=full,
            from_gallery=threshold is None,
            reach=LOOSER * defaults.cluster,
            linkage=linkage,
            partitions=partitions,
        )
        options.check()
        return options

    @property
    def cut(self) -> float:
        """The threshold that clusters are cut at."""
        return self.threshold * (1 if self.method == "agglomerative" else REFINE)

    def check(self) -> None:
        """Raise InputError for options out of range, or that do not go together."""
        choice(self.method, METHODS, "method")
        choice(self.linkage, LINKAGES, "linkage")
        _distance(self.threshold, "threshold")
        _distance(self.attach_threshold, "attach_threshold")
        number(self.min_quality, "min_quality", 0, 1)
        whole_number(self.min_size, "min_size", 1)
        number(self.reach, "reach", 0, math.inf)
        whole_number(self.partitions, "partitions", 0)
        if self.partitions and (self.method, self.linkage) != ("agglomerative", "average"):
            raise InputError(
                "expected average linkage for clustering in partitions, got "
                f"{self.method if self.method != 'agglomerative' else self.linkage + ' linkage'}"
            )
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


def _distance(value: float, name: str) -> float:
    return number(value, f"a squared distance as {name}", 0, 4)
