"""The recipes of docs/exchange.md give the neighbours that exact search gives."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from facesearch import export_vectors
from indexer.exact.brute_force import exact_search
from indexer.types import Block, Neighbours, Vectors
from support.vector_tables import sealed_gallery
from support.vectors import unit_vectors

pytest.importorskip("pyarrow", reason="pyarrow is not installed")
PAGE = Path(__file__).parents[3] / "docs/exchange.md"
FACES, PROBES, K = 200, 5, 5


@pytest.fixture
def exported(tmp_path: Path) -> tuple[Path, Vectors, Neighbours]:
    """A file, probes, and their true neighbours."""
    vectors = unit_vectors(FACES, 16, seed=3)
    gallery, ids = sealed_gallery(tmp_path / "g", vectors, list(range(FACES)), shard=60)
    probes = unit_vectors(PROBES, 16, seed=4)
    export_vectors(gallery, tmp_path / "vectors.parquet")
    truth = exact_search([Block(ids, gallery.vectors(ids))], probes, K)
    return tmp_path / "vectors.parquet", probes, truth


@pytest.mark.parametrize(("heading", "module"), [("Qdrant", "qdrant_client"), ("Lance", "lancedb")])
def test_a_recipe_of_the_page(
    heading: str,
    module: str,
    exported: tuple[Path, Vectors, Neighbours],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pytest.importorskip(module, reason=f"{module} is not installed")
    section = PAGE.read_text(encoding="utf-8").partition(f"\n## {heading}\n")[2]
    code = re.search(r"```python\n(.*?)```", section.partition("\n## ")[0], re.DOTALL)
    assert code
    file, probes, truth = exported
    monkeypatch.chdir(file.parent)
    names = {"probe": probes[0].tolist()}
    exec(compile(code[1], str(PAGE), "exec"), names)
    assert names["ids"] == truth.ids[0].tolist()


@pytest.fixture
def database(tmp_path: Path) -> Iterator[str]:
    """A connection string: of the server that FACESEARCH_TEST_POSTGRES names, or of a new one."""
    named = os.environ.get("FACESEARCH_TEST_POSTGRES")
    if named:
        yield named
        return
    servers = pytest.importorskip(
        "pgserver", reason="no PostgreSQL: set FACESEARCH_TEST_POSTGRES, or pip install pgserver"
    )
    try:
        server = servers.get_server(tmp_path / "postgres", cleanup_mode="delete")
    except (subprocess.SubprocessError, OSError) as error:
        pytest.skip(f"PostgreSQL does not start here: {error}")
    yield server.get_uri()
    server.cleanup()


def test_pgvector_answers_as_exact_search(
    database: str, exported: tuple[Path, Vectors, Neighbours]
) -> None:
    psycopg = pytest.importorskip("psycopg", reason="psycopg is not installed")
    from benchmarks.exchange.pgvector import VectorTable

    file, probes, truth = exported
    with psycopg.connect(database) as connection:
        table = VectorTable(connection, 'faces of "a test"')
        assert table.load(file) == FACES
        for row, probe in enumerate(probes):
            ids, distances = zip(*table.nearest(probe.tolist(), K), strict=True)
            assert list(ids) == truth.ids[row].tolist()
            np.testing.assert_allclose(distances, truth.distances[row], atol=1e-5)
        connection.rollback()
