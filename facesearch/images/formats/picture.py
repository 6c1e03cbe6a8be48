"""A picture file that is open: what it declares, and its pixels when they are asked for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from PIL import Image, ImageFile, JpegImagePlugin

from facesearch.images.exif import read_exif
from facesearch.images.to_rgb import Pixels, to_rgb


@dataclass(frozen=True)
class Reading:
    """``pixels`` RGB uint8 (h, w, 3) as stored, and how they are to be turned.

    ``orientation`` is that of EXIF, 1 to 8; ``taken_at`` as in
    :class:`facesearch.images.types.DecodedPhoto`; ``partial`` says what is missing of a file that
    ends early, or "".
    """

    pixels: Pixels
    orientation: int
    taken_at: str
    partial: str = ""


class Picture(Protocol):
    """An open file. ``size`` is the width and height that it declares, not turned."""

    @property
    def size(self) -> tuple[int, int]: ...

    def read(self, max_side: int | None) -> Reading:
        """The pixels, at full size or reduced to no less than ``max_side``; raises anything."""
        ...


class PillowPicture:
    """A picture that Pillow, or a plugin of it, reads."""

    def __init__(
        self,
        image: ImageFile.ImageFile,
        *,
        opaque_if_clear: bool = False,
        elsewhere: tuple[int, str] = (1, ""),
    ) -> None:
        """``opaque_if_clear``: alpha that is zero in every pixel means nothing.

        ``elsewhere``: orientation and capture time where the image itself states none.
        """
        self.image = image
        self._opaque_if_clear = opaque_if_clear
        self.elsewhere = elsewhere
        self.size = image.size

    def read(self, max_side: int | None) -> Reading:
        image = load(self.image, max_side)
        # Only after loading: PNG may keep EXIF after the pixels, and Pillow turns TIFFs itself,
        # removing the tag. (It reports TIFF sizes turned from the start.)
        orientation, taken_at = read_exif(image)
        if orientation == 1:
            orientation = self.elsewhere[0]
        shown: Image.Image = image
        if self._opaque_if_clear and image.mode == "RGBA" and not image.getchannel("A").getbbox():
            shown = image.convert("RGB")
        pixels = to_rgb(shown)
        image.close()
        return Reading(pixels, orientation, taken_at or self.elsewhere[1])


def load(image: ImageFile.ImageFile, max_side: int | None) -> ImageFile.ImageFile:
    """``image`` with its pixels read, a JPEG's at the least scale that is ``max_side`` or more."""
    if max_side is not None and isinstance(image, JpegImagePlugin.JpegImageFile):
        # libjpeg scales by 1/2, 1/4 or 1/8 while decoding; draft takes the smallest such size
        # that is no smaller than asked. The other side is set to 1, which never decides.
        width, height = image.size
        image.draft(None, (max_side, 1) if width >= height else (1, max_side))
    image.load()
    return image
