"""The description of all addresses is what is committed, and says what clients need."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from facesearch.service.server.app import api_description

FILE = Path(__file__).parents[3] / "docs" / "openapi.json"


@pytest.fixture(scope="module")
def described() -> dict[str, Any]:
    return api_description()


def test_the_committed_description_is_that_of_the_service(described: dict[str, Any]) -> None:
    committed = json.loads(FILE.read_text(encoding="utf-8"))
    assert committed == json.loads(json.dumps(described)), "run: make docs"


def test_every_operation_is_explained_and_its_errors_are(described: dict[str, Any]) -> None:
    for path, methods in described["paths"].items():
        for method, operation in methods.items():
            what = f"{method} {path}"
            assert operation["description"].endswith("."), what
            problem = operation["responses"]["default"]["content"]
            assert "application/problem+json" in problem, what
            codes = [int(code) for code in operation["responses"] if code.isdigit()]
            assert min(codes) in (200, 201, 202, 204), what


def test_ids_are_digits_in_strings(described: dict[str, Any]) -> None:
    face = described["components"]["schemas"]["FaceSummary"]["properties"]
    assert face["id"]["type"] == "string"
    assert face["photo"] == {"$ref": "#/components/schemas/PhotoOfFace"}
