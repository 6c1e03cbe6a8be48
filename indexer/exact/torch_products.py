"""Matrix products of torch in few bits, and how far they may be from the truth.

Vectors are shifted by a centre (distances stay, lengths shrink, and rounding errors with them) and
rounded. A rounded vector lies within its residual, which is measured, of the one that was meant,
so two distances differ by the two residuals at most; what arithmetic adds is bounded by the number
of terms, as in :func:`indexer.exact.distances.slack`.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache

import torch
from torch import Tensor

_DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}
PRECISIONS = tuple(_DTYPES)
# Units of roundoff: half the distance from 1 to the next number (so 2^-p for p significant bits).
_UNITS = {torch.float32: 2.0**-24, torch.float16: 2.0**-11, torch.bfloat16: 2.0**-8}
# Of sums of 16-bit products. They are float32, but tensor cores cut where others round, after
# lining terms up by the greatest (Fasi, Higham, Mikaitis and Pranesh 2021, "Numerical behavior of
# NVIDIA tensor cores"); this leaves them three bits.
_SUM_UNIT = 2.0**-21
_LEAST_HALF = 2.0**-14  # below it float16 is subnormal, which hardware may take for 0
_LEAST_OUTPUT = 2.0**-24  # the least float16, to which a product may have been rounded
# Of a shift in float32: the difference of vectors no longer than 2 is rounded once.
_SHIFT_RESIDUAL = 2.0**-22
_MARGIN = 1 + 1e-5  # of lengths taken in float32


@dataclass(frozen=True)
class Rounded:
    """Shifted vectors in few bits.

    ``numbers`` (n, d) of the precision's dtype; ``squares`` float32 (n,), their squared lengths;
    ``residuals`` float32 (n,), how far each is from the shifted vector at most.
    """

    numbers: Tensor
    squares: Tensor
    residuals: Tensor

    @classmethod
    def of(cls, vectors: Tensor, centre: Tensor, precision: str) -> Rounded:
        """``vectors`` (n, d) less ``centre`` float32 (d,), in a precision of PRECISIONS."""
        dtype = _DTYPES[precision]
        shifted = vectors.float() - centre
        numbers = shifted.to(dtype)
        if dtype == torch.float16:
            numbers[numbers.abs() < _LEAST_HALF] = 0
        again = numbers.float()
        squares = again.square().sum(dim=1)
        residuals = (shifted - again).square_().sum(dim=1).sqrt_()
        return cls(numbers, squares, residuals * _MARGIN + _SHIFT_RESIDUAL)


def products(left: Tensor, right: Tensor) -> Tensor:
    """Inner products float32 (q, n) of the rows of ``left`` (q, d) and ``right`` (n, d)."""
    if left.dtype != torch.float32 and _has_wide_output(left.device, left.dtype):
        return torch.mm(left, right.T, out_dtype=torch.float32)
    return torch.mm(left, right.T).float()


def product_error(precision: str, device: torch.device, dimension: int) -> tuple[float, float]:
    """A bound on the error of |a|^2 + |b|^2 - 2 a.b by :func:`products`: (relative, absolute).

    The first is to be multiplied by the greater of the squared lengths of a and b. A product of
    n terms errs by n u |a||b| (see :func:`slack`), a square by n u |a|^2; the
    subtraction by a few u more. What is rounded again to 16 bits errs by their unit as well.
    """
    dtype = _DTYPES[precision]
    unit = _UNITS[dtype] if dtype == torch.float32 else _SUM_UNIT
    relative = 4 * (dimension + 16) * unit
    if dtype == torch.float32 or _has_wide_output(device, dtype):
        return relative, 0.0
    return relative + 3 * _UNITS[dtype], 2 * _LEAST_OUTPUT


@lru_cache
def _has_wide_output(device: torch.device, dtype: torch.dtype) -> bool:
    """Whether torch gives 16-bit products on ``device`` as the float32 sums they are."""
    try:
        some = torch.ones((16, 16), dtype=dtype, device=device)
        torch.mm(some, some, out_dtype=torch.float32)
    except (NotImplementedError, RuntimeError, TypeError):
        return False
    return True


@contextmanager
def full_sums(device: torch.device) -> Iterator[None]:
    """Products are what they are called: no float32 by fewer bits, no sums in 16 bits.

    torch has settings that allow such rounding; they are settings of the process, restored after.
    """
    settings = torch.backends.cuda.matmul
    halves = ("allow_fp16_reduced_precision_reduction", "allow_bf16_reduced_precision_reduction")
    before = [getattr(settings, name) for name in halves]
    wanted = torch.get_float32_matmul_precision()
    try:
        for name in halves:
            setattr(settings, name, False)
        torch.set_float32_matmul_precision("highest")
        with torch.inference_mode(), torch.autocast(device.type, enabled=False):
            yield
    finally:
        torch.set_float32_matmul_precision(wanted)
        for name, value in zip(halves, before, strict=True):
            setattr(settings, name, value)
