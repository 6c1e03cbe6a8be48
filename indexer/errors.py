"""Errors of the index packages; each also inherits the builtin a caller would expect."""


class IndexerError(Exception):
    """Base of every error that ``indexer`` raises on purpose."""


class InvalidVectorsError(IndexerError, ValueError):
    """Vectors of a wrong shape, dtype or length, or with values that are not finite."""


class ShardError(IndexerError, ValueError):
    """A shard file that is damaged, incomplete, or not a shard."""


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
