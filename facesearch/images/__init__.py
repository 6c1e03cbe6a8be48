"""Finding photos and decoding them safely."""

from facesearch.images.decode import DecodeLimits, decode_photo, decode_stream
from facesearch.images.decode_pool import DecodeOutcome, DecodeTask, decode_photos
from facesearch.images.discover import check_roots, find_photos
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
    "find_photos",
    "process_photos",
    "sha256_of",
]
