"""Checks of callers' arguments, as :mod:`indexer.argument_checks` has them, with InputError."""

from __future__ import annotations

import os
from functools import partial
from pathlib import Path

from facesearch.errors import InputError
from indexer import argument_checks

choice = partial(argument_checks.choice, error=InputError)
instance = partial(argument_checks.instance, error=InputError)
number = partial(argument_checks.number, error=InputError)
several = partial(argument_checks.several, error=InputError)
whole_number = partial(argument_checks.whole_number, error=InputError)


def path_of(value: str | os.PathLike[str], what: str = "path") -> Path:
    """``value`` as a Path; raises InputError for anything else."""
    if not isinstance(value, str | os.PathLike):
        raise InputError(f"expected a {what}, got {argument_checks.describe(value)}")
    return Path(value)
