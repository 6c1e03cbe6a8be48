"""Model files that this package carries, checked by digest."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from facesearch.errors import WeightsError
from indexer.storage.atomic_files import sha256_of

FOLDER = Path(__file__).parents[1] / "encoders" / "data"


@dataclass(frozen=True)
class BundledFile:
    """A file in this package's folder of encoder data, pinned by its SHA-256."""

    name: str
    sha256: str

    @property
    def path(self) -> Path:
        """Where the file is when the package is whole."""
        return FOLDER / self.name

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
                f"cannot read {self.path}: {error.strerror or error}; reinstall facesearch"
            ) from error
        if found != self.sha256:
            raise WeightsError(
                f"{self.path} is not the file this version was made for: expected SHA-256 "
                f"{self.sha256}, found {found}; reinstall facesearch"
            )
        return self.path
