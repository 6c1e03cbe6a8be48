"""FAISS, where it is installed, and its index files."""

from __future__ import annotations

import importlib
import os
from pathlib import Path
from typing import Any, BinaryIO

from indexer.errors import MissingFaissError, StaleIndexError
from indexer.storage.atomic_files import checked_file


def import_faiss() -> Any:
    """The ``faiss`` module; MissingFaissError names the command that installs it."""
    try:
        return importlib.import_module("faiss")
    except ImportError as error:
        raise MissingFaissError(
            f"FAISS cannot be imported ({error}); install it with: pip install 'facesearch[cpu]' "
            "(or 'facesearch[gpu]', never both)"
        ) from error


def write_faiss(index: Any, path: Path, faiss: Any) -> None:
    """Write any FAISS index. By callback: FAISS cannot open names that are not UTF-8."""
    with checked_file(path, defers_errors=True) as file:  # FAISS ends the process on an error
        writer = faiss.BufferedIOWriter(faiss.PyCallbackIOWriter(file.write))
        faiss.write_index(index, writer)
        del writer  # flushes


def read_faiss(file: BinaryIO, path: Path, faiss: Any) -> Any:
    """Any FAISS index; StaleIndexError for what is none.

    FAISS believes what it reads, so the file must be one that was written here.
    """
    # A count in a file must not make FAISS allocate more than the file has bytes.
    faiss.set_deserialization_vector_byte_limit(os.fstat(file.fileno()).st_size)
    try:
        return faiss.read_index(faiss.PyCallbackIOReader(file.read))
    except (RuntimeError, MemoryError) as error:
        raise StaleIndexError(f"{path} is not an index: {error}; rebuild it") from error
