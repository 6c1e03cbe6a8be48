"""What is known of an encoder before it is loaded. Imports no torch and no OpenVINO."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from facesearch.encoders.catalogue.templates import Template
from facesearch.errors import InputError
from facesearch.model_files.download import DownloadedFile
from facesearch.model_files.packaged import PackagedFile
from facesearch.model_files.stored import StoredFile
from indexer.argument_checks import is_number

ModelFile = PackagedFile | DownloadedFile | StoredFile
ColourOrder = Literal["RGB", "BGR"]
Channels = tuple[float, float, float]


@dataclass(frozen=True)
class Thresholds:
    """Squared Euclidean distances between unit vectors, in [0, 4]: at or below, one person.

    ``verification`` gives the best accuracy on as many same as different pairs;
    ``identification`` is stricter, for a probe is compared with a whole gallery; ``cluster`` cuts
    the average linkage of an album, where thousands of people want less. ``chosen_on`` says on
    what they were chosen; where they are not ``learned``, they are a guess.
    """

    verification: float
    identification: float
    cluster: float
    chosen_on: str
    learned: bool = True

    def __post_init__(self) -> None:
        for use in ("verification", "identification", "cluster"):
            value = getattr(self, use)
            if not (isinstance(value, float | int) and 0 < value < 4):
                raise InputError(f"expected a {use} threshold between 0 and 4, got {value!r}")


# Unit vectors of unlike faces are some 90 degrees apart, a squared distance of 2, with whatever
# encoder; how near those of one person come is not known before it was measured.
UNLEARNED = Thresholds(
    verification=1.1,
    identification=0.8,
    cluster=0.9,
    chosen_on="nothing yet, these are guesses; learn them from photos of known people with: "
    "facesearch encoders calibrate NAME FOLDER",
    learned=False,
)


def _are_numbers(values: object) -> bool:
    return isinstance(values, Sequence) and all(
        is_number(value) and math.isfinite(value) for value in values
    )


@dataclass(frozen=True)
class PixelFormat:
    """How a chip's pixels become the numbers a network takes: (value - mean) / divisor.

    Values are 0 to 255, in colour order ``order``, and ``mean`` and ``divisor`` in that order too.
    """

    order: ColourOrder = "RGB"
    mean: Channels = (0.0, 0.0, 0.0)
    divisor: Channels = (1.0, 1.0, 1.0)

    def __post_init__(self) -> None:
        if self.order not in ("RGB", "BGR"):
            raise InputError(f"expected the colour order RGB or BGR, got {self.order!r}")
        for name in ("mean", "divisor"):
            values = getattr(self, name)
            if not _are_numbers(values) or len(values) != 3:
                raise InputError(f"expected {name} to be three numbers, got {values!r}")
        if not all(self.divisor):
            raise InputError(f"expected divisors other than 0, got {self.divisor!r}")

    def __str__(self) -> str:
        """Such as "BGR" or "RGB less 127.5 over 127.5", as contracts state it."""
        text = str(self.order)
        if any(self.mean):
            text += f" less {_shortest(self.mean)}"
        if self.divisor != (1.0, 1.0, 1.0):
            text += f" over {_shortest(self.divisor)}"
        return text


def _shortest(values: Channels) -> str:
    return ",".join(f"{value:g}" for value in (values[:1] if len(set(values)) == 1 else values))


@dataclass(frozen=True)
class EncoderSpec:
    """One encoder: dimension of its vectors, side of its chips in pixels, licence, origin.

    ``parameters`` counts its trained numbers, ``operations`` the multiply-adds of one face;
    ``alignment`` is "dlib", "margin", or "five points", whose places ``template`` gives; ``lfw``
    says what it was measured to do on LFW.

    ``pixels`` is set where the network is a graph in a file (ONNX or OpenVINO IR) that takes its
    input so; ``companion`` is the second file of an OpenVINO IR. ``int8`` are the files of a graph
    that was quantised by its makers, the first its ``weights``, the second its ``companion``.

    ``flipped`` are the thresholds of vectors that are averaged with the mirror image's, which lie
    nearer to each other than the ``plain`` ones.

    ``ensemble`` is set where two other encoders make the vectors (:meth:`joined`); ``weights`` are
    then the first one's.
    """

    name: str
    dimension: int
    input_size: int
    parameters: int
    operations: int
    alignment: str
    licence: str
    source: str
    weights: ModelFile
    lfw: str
    flipped: Thresholds
    plain: Thresholds
    template: Template | None = None
    pixels: PixelFormat | None = None
    companion: ModelFile | None = None
    int8: tuple[ModelFile, ...] = ()
    output: str | None = None
    ensemble: Ensemble | None = None

    @classmethod
    def joined(
        cls,
        name: str,
        ensemble: Ensemble,
        *,
        lfw: str = "not measured: added by you",
        flipped: Thresholds = UNLEARNED,
        plain: Thresholds = UNLEARNED,
    ) -> EncoderSpec:
        """The encoder that joins the vectors of two others."""
        first, second = ensemble.first, ensemble.second
        return cls(
            name=name,
            dimension=first.dimension + second.dimension,
            input_size=max(first.input_size, second.input_size),
            parameters=first.parameters + second.parameters,
            operations=first.operations + second.operations,
            alignment="of both encoders",
            licence=f"{first.name}: {first.licence}; {second.name}: {second.licence}",
            source=f"{first.name} and {second.name}, with {ensemble.share:g} and "
            f"{1 - ensemble.share:g} of the squared distance",
            weights=first.weights,
            lfw=lfw,
            flipped=flipped,
            plain=plain,
            ensemble=ensemble,
        )

    def thresholds(self, flip: bool) -> Thresholds:
        """Those of vectors with or without flip averaging."""
        return self.flipped if flip else self.plain

    @property
    def chip_shape(self) -> tuple[int, int, int]:
        """Rows, columns and channels of the chips that its aligner cuts."""
        return self.input_size, self.input_size, 3 if self.ensemble is None else 6

    @property
    def files(self) -> tuple[ModelFile, ...]:
        """All files that the encoder is made of, the weights first."""
        if self.ensemble is not None:
            return (*self.ensemble.first.files, *self.ensemble.second.files)
        return (self.weights, *((self.companion,) if self.companion else ()), *self.int8)

    @property
    def present(self) -> bool:
        """Whether all its files are here; their digests are checked when they are loaded."""
        return all(file.present for file in self.files)


@dataclass(frozen=True)
class Ensemble:
    """Two encoders whose unit vectors are joined (:mod:`facesearch.encoders.ensemble`).

    ``share`` in (0, 1) of a squared distance is the first one's, the rest the second's. Encoders
    differ in how far apart their vectors of strangers are, so the best share may be far from a
    half.
    """

    first: EncoderSpec
    second: EncoderSpec
    share: float

    def __post_init__(self) -> None:
        if not (is_number(self.share) and 0 < self.share < 1):
            raise InputError(f"expected a share above 0 and below 1, got {self.share!r}")
        for each in (self.first, self.second):
            if each.ensemble is not None:
                raise InputError(
                    f"expected encoders that are no ensembles themselves, got {each.name}"
                )
        if self.first.name == self.second.name:
            raise InputError(f"expected two different encoders, got {self.first.name} twice")
