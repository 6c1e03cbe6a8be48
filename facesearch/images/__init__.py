"""Finding photos and decoding them safely."""

from facesearch.images.decode import DecodeLimits, decode_photo, decode_stream
from facesearch.images.decode_pool import DecodeOutcome, DecodeTask, decode_photos
from facesearch.images.digest import sha256_of
from facesearch.images.discover import check_roots, find_photos
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
    "sha256_of",
]
