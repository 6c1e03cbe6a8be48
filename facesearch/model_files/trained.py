"""Model files that users make themselves, by training."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from facesearch.errors import WeightsError


@dataclass(frozen=True)
class TrainedFile:
    """Weights that come with no package and from no address: whoever wants them trains them."""

    name: str
    network: str

    @property
    def present(self) -> bool:
        """False: only the user knows where the file is."""
        return False

    def locate(self) -> NoReturn:
        """Raise WeightsError, which says how to come by the file."""
        raise WeightsError(
            f"{self.network} has no weights of its own yet: train them with facesearch train "
            f"(docs/training.md) and give the file {self.name} that it writes as --weights"
        )

    @property
    def path(self) -> Path:
        """As :meth:`locate`."""
        self.locate()

    @property
    def sha256(self) -> str:
        """As :meth:`locate`."""
        self.locate()
