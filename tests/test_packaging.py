"""The wheel holds what it should and works away from this folder."""

from __future__ import annotations

import configparser
import json
import re
import shlex
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PIP_INSTALL = (sys.executable, "-m", "pip", "install", "-q", "--disable-pip-version-check")


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    pytest.importorskip("build")
    folder = tmp_path_factory.mktemp("wheel")
    # From a copy, so that no build folder is left in the project.
    source = folder / "source"
    listed = subprocess.run(
        ["git", "ls-files", "-co", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    if listed.returncode:
        pytest.skip("needs a git checkout to tell the project's files")
    for name in listed.stdout.splitlines():
        if (ROOT / name).is_file():
            (source / name).parent.mkdir(parents=True, exist_ok=True)
            (source / name).write_bytes((ROOT / name).read_bytes())
    subprocess.run(
        # Without isolation: that would fetch setuptools, and the tests need no network.
        [sys.executable, "-m", "build", "--wheel", "-n", "--outdir", str(folder), str(source)],
        check=True,
        capture_output=True,
    )
    (built,) = folder.glob("*.whl")
    return built


def test_wheel_has_the_three_packages_and_nothing_else(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    tops = {name.split("/")[0] for name in names if ".dist-info" not in name}
    assert tops == {"facesearch", "indexer", "cluster"}
    sources = {
        path.relative_to(ROOT).as_posix()
        for top in tops
        for path in (ROOT / top).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    assert sources <= set(names)


def test_wheel_declares_its_dependencies(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        (name,) = [each for each in archive.namelist() if each.endswith("METADATA")]
        metadata = archive.read(name).decode()
    assert "Requires-Dist: torch" in metadata
    assert "Provides-Extra: cpu" in metadata and "Provides-Extra: gpu" in metadata
    assert re.search(r"^License(-Expression)?: Apache-2.0$", metadata, re.MULTILINE)


def test_wheel_works_elsewhere(wheel: Path, tmp_path: Path) -> None:
    target = tmp_path / "site"
    subprocess.run(
        [*PIP_INSTALL, "--no-index", "--no-deps", "--target", target, wheel],
        check=True,
        capture_output=True,
    )
    script = (
        "import sys; sys.path.insert(0, sys.argv[1])\n"
        "import facesearch, indexer.types, cluster.types, facesearch.cli.main as cli\n"
        "assert facesearch.__file__.startswith(sys.argv[1]), facesearch.__file__\n"
        "from facesearch.detect.mtcnn_weights import O_NET\n"
        "assert len(O_NET.load()) == 8\n"
        "cli.main(['--version'])\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, str(target)],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout.startswith("facesearch 0."), done.stderr


def commands_in(text: str) -> list[list[str]]:
    """The arguments of every ``facesearch`` that a file of ``packaging`` runs or shows."""
    joined = re.sub(r"\\\n#?\s*", " ", text)
    found = [json.loads(each) for each in re.findall(r"^CMD (\[.*\])$", joined, re.MULTILINE)]
    lines = re.findall(r"(?:/bin/facesearch|facesearch facesearch|state facesearch)(?: (.+))?$",
                       joined, re.MULTILINE)  # fmt: skip
    return found + [shlex.split(line) for line in lines if line]


@pytest.mark.parametrize(("name", "count"), [("facesearch.service", 1), ("Dockerfile", 3)])
def test_what_is_packaged_calls_commands_that_there_are(name: str, count: int) -> None:
    """The unit of systemd, the container's command, and those in the comments of its file."""
    from facesearch.cli.main import build_parser

    found = commands_in((ROOT / "packaging" / name).read_text(encoding="utf-8"))
    assert len(found) == count, found
    for words in found:
        assert callable(build_parser().parse_args(words).run), words


def test_the_unit_of_systemd_is_understood(tmp_path: Path) -> None:
    """By systemd itself, where it is installed; by its form everywhere."""
    text = (ROOT / "packaging" / "facesearch.service").read_text(encoding="utf-8")
    sections = configparser.ConfigParser(strict=False, interpolation=None)
    sections.optionxform = str  # type: ignore[assignment, method-assign]
    sections.read_string(text)
    assert [*sections] == ["DEFAULT", "Unit", "Service", "Install"]
    assert sections["Service"]["ExecStart"].startswith("/opt/facesearch/bin/facesearch serve ")
    assert sections["Service"]["StateDirectory"] == "facesearch"
    if shutil.which("systemd-analyze") is None:
        pytest.skip("needs systemd-analyze for the rest")
    unit = tmp_path / "facesearch.service"
    # The program itself need not be there.
    unit.write_text(text.replace("/opt/facesearch/bin/facesearch", "/bin/true"))
    done = subprocess.run(
        ["systemd-analyze", "verify", str(unit)], capture_output=True, text=True, check=False
    )
    assert "facesearch.service" not in done.stderr, done.stderr


def test_the_image_holds_what_it_copies_and_runs_as_nobody_special() -> None:
    """What can be said without a container engine."""
    text = (ROOT / "packaging" / "Dockerfile").read_text(encoding="utf-8")
    users = re.findall(r"^USER (\S+)$", text, re.MULTILINE)
    assert users == ["facesearch"] and "--uid 10001" in text
    extras = re.search(r"'\.\[([a-z,]+)\]'", text)
    assert extras is not None
    settings = configparser.ConfigParser(interpolation=None)
    settings.read(ROOT / "setup.cfg", encoding="utf-8")
    assert {*extras[1].split(",")} <= {*settings["options.extras_require"]}
    assert "constraints.txt" in text and (ROOT / "constraints.txt").is_file()
