"""From a detected face to the square chip that an encoder expects."""

from facesearch.align.dlib_aligner import DlibAligner

__all__ = ["DlibAligner"]
