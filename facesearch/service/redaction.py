"""Texts for those who may not know where files lie: paths become names in the gallery."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

# A path from the root of the file system: neither a part of a web address nor a fraction.
_PATH = re.compile(r"(?<![\w/.~-])/(?:[^\s/'\"(),;:]+/)*([^\s/'\"(),;:]+)")
_AFTER_NAME = r"(?![\w-])"  # else it is the beginning of another folder's name


def without_places(text: str, places: Mapping[str, str]) -> str:
    """``text`` with what stands for each folder of ``places`` in place of its path."""
    for folder in sorted(places, key=len, reverse=True):
        shown = places[folder]
        text = text.replace(f"{folder}/", shown)
        name = shown.rstrip("/") or folder.rpartition("/")[2]
        text = re.sub(re.escape(folder) + _AFTER_NAME, name.replace("\\", r"\\"), text)
    return text


def without_paths(value: Any, places: Mapping[str, str]) -> Any:
    """``value``, as JSON has it, with no path in any text: those in ``places`` become names there,
    of others the last part is left."""
    if isinstance(value, str):
        return _PATH.sub(lambda found: found[1], without_places(value, places))
    if isinstance(value, Mapping):
        return {key: without_paths(each, places) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [without_paths(each, places) for each in value]
    return value
