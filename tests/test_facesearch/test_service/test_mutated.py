"""Requests made from the description and then spoilt: whatever arrives, the answer is no 500."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings

from support.fake_engine import write_photo
from support.serving.mutated_requests import answered_without_500, requests, spoilable_site
from support.serving.services import ServedTest


@pytest.fixture(scope="module")
def site(folder: Path) -> Iterator[ServedTest]:
    with ExitStack() as stack:
        yield spoilable_site(stack, folder)


@pytest.fixture(scope="module")
def photo(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    return write_photo(tmp_path_factory.mktemp("photo") / "a.png", [1], 5).read_bytes()


# `make test` sends some, `make test-slow` a thousand, and `make fuzz` others each time.
FEW = int(os.environ.get("FACESEARCH_MUTATED", "150"))
MANY = int(os.environ.get("FACESEARCH_MUTATED", "1000"))
_UNHURRIED: dict[str, Any] = {
    "suppress_health_check": [HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
    "deadline": None,
}


@settings(max_examples=FEW, **_UNHURRIED)
@given(request=requests())
def test_no_request_is_answered_by_500(
    site: ServedTest, photo: bytes, request: dict[str, Any]
) -> None:
    answered_without_500(site, photo, request)


@pytest.mark.slow
@settings(max_examples=MANY, **_UNHURRIED)
@given(request=requests())
def test_none_of_a_thousand_requests_is_answered_by_500(
    site: ServedTest, photo: bytes, request: dict[str, Any]
) -> None:
    answered_without_500(site, photo, request)
