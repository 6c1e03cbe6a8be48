"""The detector settings that a gallery notes of its last indexing job."""

from __future__ import annotations

from collections.abc import Mapping


def parse_settings(found: object) -> dict[str, float]:
    """Settings as read from JSON; raises ValueError unless they are numbers by name."""
    if not isinstance(found, dict) or not all(
        type(each) in (int, float) for each in found.values()
    ):
        raise ValueError(f"expected numbers by name, got {str(found)[:80]}")
    return found


def settings_text(settings: Mapping[str, float]) -> str:
    """Detector settings in words."""
    return ", ".join(f"{name.replace('_', ' ')} {value}" for name, value in settings.items())
