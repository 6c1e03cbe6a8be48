"""Configurations are read as they are written, and what is wrong in them is named."""

from __future__ import annotations

from pathlib import Path

import pytest

from facesearch.errors import InputError
from facesearch.train.config import CropSource, LossSettings, compatible_with, read_settings
from facesearch.train.optimizers import Schedule

LEAST = """
output = "run"
[[crops]]
file = "a.h5"
[[loss]]
kind = "triplet"
[run]
steps = 100
"""


def read(folder: Path, text: str):
    path = folder / "config.toml"
    path.write_text(text, encoding="utf-8")
    return read_settings(path)


def test_the_least_configuration_has_defaults_and_paths_beside_it(tmp_path: Path) -> None:
    settings = read(tmp_path, LEAST)
    assert settings.output == tmp_path / "run"
    assert settings.crops == (CropSource(tmp_path / "a.h5", 1.0),)
    assert settings.loss == (LossSettings("triplet"),)
    assert settings.run.steps == 100
    assert settings.network.start is None


def test_numbers_and_tables_are_read(tmp_path: Path) -> None:
    text = LEAST + 'threads = 2\n[optimizer]\nkind = "adagrad"\nrate = 1\n[network]\nstart = "w"\n'
    settings = read(tmp_path, text)
    assert settings.optimizer.rate == 1.0
    assert isinstance(settings.optimizer.rate, float)
    assert settings.network.start == tmp_path / "w"


@pytest.mark.parametrize(
    ("change", "named"),
    [
        (("steps = 100", "steps = 100\nsteep = 1"), "unknown setting run.steep; expected steps"),
        (("steps = 100", ""), "missing setting run.steps"),
        (("steps = 100", 'steps = "many"'), "run.steps: expected int, got 'many'"),
        (("steps = 100", "steps = true"), "run.steps: expected int, got True"),
        (("steps = 100", "steps = 0"), "run.steps: expected more, got 0"),
        (('kind = "triplet"', 'kind = "triple"'), "loss.kind: expected one of distillation"),
        (('kind = "triplet"', 'kind = "distillation"'), "distillation loss needs teacher"),
        (('[[crops]]\nfile = "a.h5"', "crops = 3"), "crops: expected a list of tables, got 3"),
        (('[[crops]]\nfile = "a.h5"', "crops = []"), "crops: expected more, got 0"),
        (("[run]", "[run"), "cannot read"),
    ],
)
def test_what_is_wrong_is_named(tmp_path: Path, change: tuple[str, str], named: str) -> None:
    with pytest.raises(InputError) as caught:
        read(tmp_path, LEAST.replace(*change))
    assert named in str(caught.value)
    assert "config.toml" in str(caught.value)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot read"):
        read_settings(tmp_path / "no.toml")


def test_compatible_settings_mix_triplets_and_begin_with_the_last_layer(tmp_path: Path) -> None:
    settings = compatible_with(read(tmp_path, LEAST), "v1")
    assert settings.loss == (LossSettings("harmonic", teacher="v1"),)
    assert settings.network.reset_last_layer
    assert settings.network.last_layer_steps == 25
    text = LEAST.replace('kind = "triplet"', 'kind = "distillation"\nteacher = "t"')
    with pytest.raises(InputError, match="triplet, harmonic or bct"):
        compatible_with(read(tmp_path, text), "v1")


def test_schedules_rise_hold_and_fall() -> None:
    constant = Schedule("constant", warmup=4)
    assert [constant.factor(step, 10) for step in (0, 3, 4, 9)] == [0.25, 1, 1, 1]
    linear = Schedule("linear", hold=0.5)
    assert [linear.factor(step, 10) for step in (0, 5, 6, 10)] == [1, 1, pytest.approx(0.8), 0]
    cosine = Schedule("cosine", warmup=2, last=0.1)
    assert cosine.factor(2, 10) == 1
    assert cosine.factor(6, 10) == pytest.approx(0.55)
    assert cosine.factor(10, 10) == pytest.approx(0.1)
