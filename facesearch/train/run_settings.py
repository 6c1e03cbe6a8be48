"""Whether a run that is begun goes on with the settings it had."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

from facesearch.errors import InputError
from facesearch.train.config import TrainSettings

# Settings that may differ when a run goes on: they do not change what a step does. Crops may be
# added to a long run, whose later steps then draw from them too.
_FREE = {
    "output": None, "crops": None,
    "run": {"threads", "device", "log_every", "checkpoint_seconds", "tensorboard"},
    "validation": {"every", "faces"},
}  # fmt: skip


def settings_as_json(settings: TrainSettings) -> dict[str, Any]:
    """Settings as JSON has them."""
    return {name: _as_json(value) for name, value in dataclasses.asdict(settings).items()}


def _as_json(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _as_json(each) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [_as_json(each) for each in value]
    return str(value) if isinstance(value, Path) else value


def check_same_run(settings: TrainSettings, before: dict[str, Any]) -> None:
    """Raise :class:`InputError` unless ``before``, from a checkpoint, are ``settings``.

    Whatever does not change what a step does may differ.
    """
    now = _bound(settings_as_json(settings))
    for name, value in now.items():
        was = _bound(before).get(name)
        if was != value:
            raise InputError(
                f"the run in {settings.output} was begun with {name} = {was!r}, now it is "
                f"{value!r}; go on with the settings it had, or give another output and "
                "network.start"
            )


def _bound(plain: dict[str, Any]) -> dict[str, Any]:
    """The settings that may not change while a run goes on, by dotted name."""
    found: dict[str, Any] = {}
    for name, value in plain.items():
        free = _FREE.get(name, set())
        if free is None:
            continue
        if isinstance(value, dict):
            found |= {f"{name}.{key}": each for key, each in value.items() if key not in free}
        else:
            found[name] = value
    if found.get("schedule.kind") == "constant":
        found.pop("run.steps", None)  # a rate that stays does not depend on when it ends
    return found
