"""The process of a job of a service with the fake engine."""

from __future__ import annotations

import sys
from typing import Any

from facesearch.engine_options import EngineOptions
from facesearch.service.jobs import child
from support.fake_engine import FakeEngine

# Clusters are cut as those of this encoder.
ENCODER = "dlib-resnet-v1"


def fake_engine() -> Any:
    """An engine whose thresholds are known."""
    return FakeEngine(ENCODER)


if __name__ == "__main__":
    EngineOptions.create = lambda *args, **options: fake_engine()  # type: ignore[method-assign]
    sys.exit(child.main())
