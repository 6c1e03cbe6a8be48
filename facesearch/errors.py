"""Errors of the product; the command line prints their text and exits with 2."""


class FacesearchError(Exception):
    """Base of every error that ``facesearch`` raises on purpose."""


class InputError(FacesearchError, ValueError):
    """The caller asked for something that cannot be done; the text says what to do instead."""


class PhotoError(FacesearchError, ValueError):
    """A photo that cannot be read: ``reason``, one of :data:`facesearch.images.types.REASONS`."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason = reason
        self.detail = detail


class WeightsError(FacesearchError, ValueError):
    """A model file that is missing, damaged, or not the pinned one."""


class TrainingCollapsedError(FacesearchError, RuntimeError):
    """All faces have nearly the same vector; the text says what to change."""


class GalleryError(FacesearchError, ValueError):
    """A gallery that is missing, of another format or damaged."""


class BusyGalleryError(GalleryError):
    """Another process is writing to the gallery."""


class ChangedGalleryError(GalleryError):
    """What was asked about is no longer so: faces were forgotten, or other ones are meant."""


class ChangedDecisionsError(GalleryError):
    """Other decisions were made since those that a new one was to add to."""


class EncryptedGalleryError(GalleryError):
    """An encrypted gallery without its key, or a file of it that is not as it was written."""


class ContractError(GalleryError):
    """Vectors of one encoder contract offered to a gallery of another."""
