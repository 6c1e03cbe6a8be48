"""What holds for every test: the same examples at each run, and no waiting for the disk."""

from __future__ import annotations

import gc
import os
import random
import shutil
import sys
import tempfile
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, settings
from hypothesis.internal.conjecture import providers

if TYPE_CHECKING:
    from facesearch.demo import DemoTruth

# Before anything loads numpy or torch: the suite is parallel by processes. If each of them had
# threads for every core, they would wait for one another in loops: products of small matrices,
# which are most of what tests compute, then take 15 times the processor time.
for _threads in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS"):
    os.environ.setdefault(_threads, "1")
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

MEMORY = Path("/dev/shm")
MEMORY_BYTES = 4 << 30  # several times what the suite writes at once


def _keep_temporary_files_in_memory() -> None:
    """Where there is room: SQLite, and writers in processes of their own, wait for a disk.

    Whoever sets TMPDIR has chosen another place.
    """
    if "TMPDIR" in os.environ or not os.access(MEMORY, os.W_OK):
        return
    folder = MEMORY / f"tests-{os.getuid()}"
    if shutil.disk_usage(MEMORY).free < MEMORY_BYTES:
        return
    folder.mkdir(mode=0o700, exist_ok=True)
    if folder.is_symlink() or folder.stat().st_uid != os.getuid():
        return
    os.environ["TMPDIR"] = tempfile.tempdir = str(folder)


_keep_temporary_files_in_memory()

REPEATABLE, RANDOM = "repeatable", "random"
EXAMPLES = 50  # of a test that does not say how many; the same at each run, so more find little

# `make test`: every run draws the same examples. What a random run finds is worth nothing to the
# next reader unless it is written down: as an @example of the test that it broke.
PLAIN = settings.get_profile("default")  # whatever Hypothesis would take where CI is set
settings.register_profile(
    REPEATABLE,
    PLAIN,
    derandomize=True,
    deadline=None,
    max_examples=EXAMPLES,
    print_blob=True,
    suppress_health_check=[HealthCheck.too_slow],  # it judges by the clock
)
# `make fuzz`: other examples at each run; those that fail are kept in .hypothesis and tried first.
settings.register_profile(
    RANDOM, PLAIN, deadline=None, print_blob=True, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile(REPEATABLE)


def pytest_sessionstart(session: pytest.Session) -> None:
    """Say what is left out, in a run that is otherwise silent as well."""
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if reporter is not None and "not slow" in session.config.option.markexpr:
        reporter.write_line("Tests marked slow are left out. To run them too: make test-all")


@pytest.hookimpl(trylast=True)  # after Hypothesis has loaded the profile that was asked for
def pytest_configure() -> None:
    if settings.get_current_profile_name() == REPEATABLE:
        _draw_no_constants_of_modules()


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """Modules and tests stay: no collection of garbage needs to look at them, then or later."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.enable()


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup() -> None:
    """What is drawn from a generator that all share does not depend on the tests before."""
    random.seed(0)
    if "numpy" in sys.modules:
        sys.modules["numpy"].random.seed(0)
    if "torch" in sys.modules:
        torch = sys.modules["torch"]
        # Its manual_seed() takes milliseconds to note for devices that are not in use.
        torch.default_generator.manual_seed(0)
        if torch.cuda.is_initialized():
            torch.cuda.manual_seed_all(0)


def _draw_no_constants_of_modules() -> None:
    """Hypothesis also draws constants that it finds in the modules loaded so far.

    Then a test's examples would depend on which tests ran before it in the same process.
    """
    none = providers.Constants()
    providers._get_local_constants = lambda: none


@pytest.fixture(autouse=True, scope="session")
def no_waiting_for_the_disk() -> Iterator[None]:
    """Without a power cut nobody can see whether bytes reached the disk, but they take most time.

    Of this process only: writers that tests kill are processes of their own, and keep the real
    ``os.fsync``.
    """
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "fsync", _require_open)
        yield


@pytest.fixture(autouse=True, scope="session")
def workers_start_at_once() -> Iterator[None]:
    """Processes that decode are forked, where a test has loaded what starts them."""
    if "facesearch.images.worker_process" not in sys.modules:
        yield
        return
    from support.processes.forked import forked_workers

    with forked_workers():
        yield


@pytest.fixture(scope="session")
def demo_photos(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, DemoTruth]:
    """The demo's photos, to be looked at: who changes them makes a copy."""
    pytest.importorskip("skimage", reason="the sample photos need: pip install scikit-image")
    from facesearch.demo import make_demo_photos

    folder = tmp_path_factory.mktemp("demo") / "photos"
    return folder, make_demo_photos(folder)


def _require_open(descriptor: int) -> None:
    os.fstat(descriptor)
