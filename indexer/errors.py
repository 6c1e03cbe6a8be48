"""Errors of the index packages; each also inherits the builtin a caller would expect."""

from __future__ import annotations

import errno
from pathlib import Path

_ADVICE = {
    errno.ENOSPC: "free some space there, then run the command again",
    errno.EDQUOT: "free some space there, then run the command again",
    errno.EFBIG: "the file system or a limit allows no file so large",
    errno.EIO: "the disk may be failing: check it, then run the command again",
    errno.EACCES: "check who may write there",
    errno.EPERM: "check who may write there",
    errno.EROFS: "check who may write there",
    errno.ELOOP: "files are never written or read through such a link: put the file itself there",
    errno.ENOENT: "its folder is missing: make it, or name another",
    errno.EBUSY: "wait until that has ended, then run the command again",
}


class IndexerError(Exception):
    """Base of every error that ``indexer`` raises on purpose."""


class InvalidVectorsError(IndexerError, ValueError):
    """Vectors of a wrong shape, dtype or length, or with values that are not finite."""


class ShardError(IndexerError, ValueError):
    """A shard file that is damaged, incomplete, or not a shard."""


class StorageError(IndexerError, OSError):
    """A file that could not be written, or is not a plain file; says which, and what to do."""

    def __init__(self, path: Path, error: OSError) -> None:
        super().__init__(error.errno, error.strerror or str(error), str(path))

    def __str__(self) -> str:
        advice = _ADVICE.get(self.errno or 0, "look at what is there, then run the command again")
        return f"cannot write {self.filename}: {self.strerror}; {advice}"


class UnsafeFileError(IndexerError, OSError):
    """A file that is not read: a link, a pipe, a device, or larger than such a file can be."""


class StaleIndexError(IndexerError, ValueError):
    """An index that does not cover the gallery's present shards."""


class MissingFaissError(IndexerError, ImportError):
    """FAISS is not installed."""


class TooFewImpostorsError(IndexerError, ValueError):
    """Too few impostor searches to estimate a false positive rate."""


class IndexGoalError(IndexerError, ValueError):
    """A recall that cannot be had in the memory given."""


class DeviceError(IndexerError, ValueError):
    """A device that is not there, or that cannot do what was asked of it."""
