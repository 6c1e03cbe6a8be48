"""The album as a web page that needs nothing but itself: ``write_report``."""

from facesearch.report.write import write_report

__all__ = ["write_report"]
