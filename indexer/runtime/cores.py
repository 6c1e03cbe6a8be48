"""How many cores there are to use."""

from __future__ import annotations


def available_cores() -> int:
    """Cores this process may use, by its affinity and by the quota of its container, rounded up."""
    from joblib import cpu_count  # noqa: PLC0415 - takes a tenth of a second

    return int(cpu_count())
