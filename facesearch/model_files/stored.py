"""Model files that lie where somebody put them, checked by digest."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from facesearch.errors import WeightsError
from indexer.storage.atomic_files import sha256_of


@dataclass(frozen=True)
class StoredFile:
    """A file at a known place, pinned by its SHA-256; ``remedy`` says how to have it again."""

    path: Path
    sha256: str
    remedy: str = "add the encoder again"

    @property
    def name(self) -> str:
        return self.path.name

    @property
    def present(self) -> bool:
        """Whether the file is there, its digest not yet checked."""
        return self.path.exists()

    def locate(self) -> Path:
        """The file, its digest checked; raises WeightsError where it is missing or another."""
        try:
            found = sha256_of(self.path)
        except OSError as error:
            raise WeightsError(
                f"cannot read the model file {self.path}: {error.strerror or error}; {self.remedy}"
            ) from error
        if found != self.sha256:
            raise WeightsError(
                f"{self.path} is not the model file that belongs there: expected SHA-256 "
                f"{self.sha256}, found {found}; {self.remedy}"
            )
        return self.path
