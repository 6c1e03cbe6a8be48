"""Charts to files: the same bytes each time, nothing of matplotlib's state touched."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from facesearch.errors import InputError
from facesearch.evaluate.curves import roc
from facesearch.evaluate.presentation import matplotlib_plots
from facesearch.evaluate.presentation.charts import (
    DEVIATE,
    LOG,
    Axis,
    Chart,
    Mark,
    Series,
    det_chart,
    roc_chart,
)

matplotlib = pytest.importorskip("matplotlib", reason="plots need: pip install matplotlib")

LINE = Series("line", np.array([0.001, 0.01, 0.4]), np.array([0.3, 0.2, 0.1]), marked=True)
CHART = Chart(
    "some", "A title", Axis("x", LOG, 1e-3, 1.0), Axis("y", DEVIATE, 1e-3, 0.5), (LINE,),
    (Mark("here", 0.1),),
)  # fmt: skip


def test_files_are_pictures_and_the_same_each_time(tmp_path: Path) -> None:
    first = matplotlib_plots.save_charts([CHART], tmp_path / "one")
    matplotlib.rcParams["font.size"] = 30  # a caller's own setting shows nowhere
    try:
        second = matplotlib_plots.save_charts([CHART], tmp_path / "two")
        assert matplotlib.rcParams["font.size"] == 30
    finally:
        matplotlib.rcParams["font.size"] = matplotlib.rcParamsDefault["font.size"]
    assert [path.name for path in first] == ["some.png", "some.svg"]
    for one, two in zip(first, second, strict=True):
        assert one.read_bytes() == two.read_bytes()
    pixels = np.asarray(Image.open(first[0]).convert("L"))
    assert min(pixels.shape) > 600
    assert 0.005 < (pixels < 200).mean() < 0.3
    assert first[1].read_text().startswith("<?xml")


def test_no_window_system_and_no_state_is_touched() -> None:
    program = """
import sys, tempfile, pathlib
import numpy as np
from facesearch.evaluate.presentation import matplotlib_plots as plots
from facesearch.evaluate.presentation.charts import Axis, Chart, Series
assert "matplotlib" not in sys.modules
chart = Chart("c", "t", Axis("x"), Axis("y"), (Series("", np.arange(3.0), np.arange(3.0)),))
plots.save_charts([chart], pathlib.Path(tempfile.mkdtemp()))
assert "matplotlib.pyplot" not in sys.modules
"""
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def test_without_matplotlib_the_command_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(InputError, match=r"pip install 'facesearch\[plots\]'"):
        matplotlib_plots.save_charts([CHART], tmp_path / "none")
    assert not (tmp_path / "none").exists()


def test_axes_have_the_scale_and_limits_asked_for() -> None:
    (axes,) = matplotlib_plots.draw(CHART).axes
    assert axes.get_xscale() == "log"
    assert axes.get_ylim() == pytest.approx((1e-3, 0.5))
    to_screen = axes.transScale.transform
    # On a normal deviate scale quantiles of the normal distribution are the same steps apart.
    heights = [to_screen((0.1, rate))[1] for rate in (0.0227501, 0.1586553, 0.5)]
    assert np.diff(heights) == pytest.approx([1, 1], abs=1e-4)
    assert {text.get_text() for text in axes.get_legend().get_texts()} == {"line", "here"}
    with pytest.raises(ValueError, match="expected a scale of"):
        matplotlib_plots.draw(Chart("c", "t", Axis("x", "cubic"), Axis("y"), ()))


@pytest.mark.parametrize("apart", [0.0, 1.0, 100.0])
def test_curves_of_any_quality_can_be_drawn(tmp_path: Path, apart: float) -> None:
    rng = np.random.default_rng(0)
    same = np.arange(600) % 2 == 0
    curve = roc(np.abs(rng.normal(size=600)) + apart * ~same, same)
    charts = [roc_chart(curve, 300, "ROC"), det_chart(curve, 300, 300, "DET")]
    assert len(matplotlib_plots.save_charts(charts, tmp_path)) == 4
    line = charts[0].series[0]
    assert (np.diff(line.x) > 0).any()
    assert (np.diff(line.y) >= 0).all()
    assert line.y[-1] == 1
