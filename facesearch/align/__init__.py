"""From a detected face to the square chip that an encoder expects."""

from facesearch.align.dlib_aligner import DlibAligner
from facesearch.align.margin import MarginAligner

__all__ = ["DlibAligner", "MarginAligner"]
