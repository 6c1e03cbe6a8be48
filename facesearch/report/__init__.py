"""The album as web pages that need nothing but themselves, and its names as sidecar files."""

from facesearch.report.write import write_report
from facesearch.report.xmp import Sidecars, write_sidecars

__all__ = ["Sidecars", "write_report", "write_sidecars"]
