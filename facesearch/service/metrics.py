"""Figures of the running service, as Prometheus reads them."""

from __future__ import annotations

import resource
from collections.abc import Iterator
from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

if TYPE_CHECKING:
    from facesearch.service.face_service import FaceService

_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
MEDIA_TYPE = "text/plain; version=0.0.4; charset=utf-8"


class ServiceMetrics:
    """Counts requests by route, never by address, so that their number is bounded."""

    def __init__(self, service: FaceService) -> None:
        self.registry = CollectorRegistry()
        self.registry.register(_StateCollector(service))
        self.requests = Counter(
            "facesearch_requests", "Requests answered", ["method", "route", "status"],
            registry=self.registry,
        )  # fmt: skip
        self.seconds = Histogram(
            "facesearch_request_seconds", "Time until a request was answered", ["method", "route"],
            registry=self.registry, buckets=_BUCKETS,
        )  # fmt: skip
        self.probes = Counter(
            "facesearch_probe_photos", "Photos searched, identified or verified", ["question"],
            registry=self.registry,
        )  # fmt: skip

    def text(self) -> bytes:
        """All figures of now."""
        return generate_latest(self.registry)


class _StateCollector(Collector):
    """What is counted when it is asked for."""

    def __init__(self, service: FaceService) -> None:
        self._service = service

    def describe(self) -> Iterator[Metric]:
        """None, so that nothing is counted when this is registered."""
        return iter(())

    def collect(self) -> Iterator[Metric]:
        """The present state."""
        for name, text, of in (
            ("facesearch_faces", "Live faces", "faces"),
            ("facesearch_photos", "Photos", "photos"),
            ("facesearch_people", "People with faces", "people"),
        ):
            family = GaugeMetricFamily(name, text, labels=["gallery"])
            for served in self._service.galleries:
                family.add_metric([served.id], len(getattr(served.snapshot(), of)))
            yield family
        jobs = GaugeMetricFamily("facesearch_jobs", "Jobs by state", labels=["state"])
        for state, number in zip(("running", "waiting"), self._service.jobs.counts(), strict=True):
            jobs.add_metric([state], number)
        yield jobs
        yield GaugeMetricFamily(
            "facesearch_listeners", "Pages that listen to events", value=self._service.events.count
        )
        # Kilobytes on Linux, the most that there ever were.
        used = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
        yield GaugeMetricFamily("facesearch_memory_peak_bytes", "Most memory used", value=used)
