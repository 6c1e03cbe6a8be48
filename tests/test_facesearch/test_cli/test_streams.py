"""What is printed where streams are closed, numbers are none, or cells look like formulas."""

from __future__ import annotations

import json
import math
import subprocess
import sys
from pathlib import Path

import pytest

from facesearch.cli.output import print_json
from facesearch.recognition.match_writers import MatchRow, match_format

ROOT = Path(__file__).parents[3]


@pytest.mark.parametrize("closed", ["2>&-", ">&-", ">&- 2>&-", "<&-"])
def test_closed_streams_give_no_traceback(closed: str) -> None:
    command = f'"{sys.executable}" -m facesearch.cli.main info nothing {closed}'
    ran = subprocess.run(command, shell=True, cwd=ROOT, capture_output=True, text=True, check=False)
    assert ran.returncode == 2
    assert "Traceback" not in ran.stdout + ran.stderr
    if "2>" not in closed:
        assert "not a gallery" in ran.stderr


def test_numbers_that_json_has_none_of_are_null(capsys: pytest.CaptureFixture[str]) -> None:
    row = MatchRow("p\udcff", quality=math.nan, distance=math.inf)
    print_json({"rows": [row], "least": -math.inf, "one": 1.5})
    found = json.loads(capsys.readouterr().out, parse_constant=pytest.fail)
    assert (found["least"], found["one"]) == (None, 1.5)
    assert (found["rows"][0]["quality"], found["rows"][0]["distance"]) == (None, None)
    assert found["rows"][0]["probe"] == "p\udcff"


@pytest.mark.parametrize("sign", "=+-@\uff1d\uff0b\uff0d\uff20\t\r\n")
def test_no_cell_of_matches_is_a_formula(sign: str) -> None:
    text = f"{sign}HYPERLINK(1)"
    row = MatchRow(text, 1, match_photo=text, person=text, reason=text, detail=text)
    cells = match_format(Path("m.csv"))([row], 1).decode()
    assert cells.count(f"'{sign}") == 5
