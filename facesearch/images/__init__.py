"""Finding photos and decoding them safely.

What is named here is loaded when it is first used: commands look at addresses before anything else.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from indexer.lazy_exports import lazy_exports

if TYPE_CHECKING:
    from facesearch.images.decode import DecodeLimits, decode_photo, decode_stream
    from facesearch.images.decode_pool import DecodeOutcome, DecodeTask, decode_photos
    from facesearch.images.discover import check_roots, find_each, find_photos
    from facesearch.images.file_access import sha256_of
    from facesearch.images.photo_pipeline import process_photos
    from facesearch.images.types import REASONS, DecodedPhoto, FoundPhoto

__all__ = [
    "REASONS",
    "DecodeLimits",
    "DecodeOutcome",
    "DecodeTask",
    "DecodedPhoto",
    "FoundPhoto",
    "check_roots",
    "decode_photo",
    "decode_photos",
    "decode_stream",
    "find_each",
    "find_photos",
    "process_photos",
    "sha256_of",
]

_MODULES = {
    "REASONS": "types",
    "DecodeLimits": "decode",
    "DecodeOutcome": "decode_pool",
    "DecodeTask": "decode_pool",
    "DecodedPhoto": "types",
    "FoundPhoto": "types",
    "check_roots": "discover",
    "decode_photo": "decode",
    "decode_photos": "decode_pool",
    "decode_stream": "decode",
    "find_each": "discover",
    "find_photos": "discover",
    "process_photos": "photo_pipeline",
    "sha256_of": "file_access",
}

if not TYPE_CHECKING:  # to a type checker any misspelt name would be there
    __getattr__, __dir__ = lazy_exports(__name__, _MODULES)
