"""Camera raw files by LibRaw: their embedded preview, or what LibRaw develops of the sensor's data.

The preview is what the camera showed, and quick to read. It is used where it is as large as asked
for and shows what the developed picture shows: turned the same way, with the same crop.
"""

from __future__ import annotations

import io
from typing import Any, BinaryIO

import numpy as np
from PIL import Image
from PIL.JpegImagePlugin import JpegImageFile

from facesearch.images.exif import exif_facts, read_exif
from facesearch.images.formats.extras import require_reader
from facesearch.images.formats.orientation import upright
from facesearch.images.formats.picture import Reading, load
from facesearch.images.to_rgb import Pixels, to_rgb

# LibRaw's turns as EXIF's orientations.
_ORIENTATIONS = {0: 1, 3: 3, 5: 8, 6: 6}
# Previews differ from the developed picture by a few pixels at the edges, and more if they are
# cropped to another shape, as 16:9 previews of 3:2 sensors are.
_SAME_SHAPE = 0.02
_SAME_SIZE = 0.97


class RawPicture:
    """A raw file. ``size`` is that of the developed picture, upright, ``orientation`` the turn (as
    EXIF numbers it) that the sensor's data need for it."""

    def __init__(self, stream: BinaryIO) -> None:
        require_reader("RAW", "a camera raw file")
        import rawpy  # noqa: PLC0415 - an extra

        self._errors = rawpy
        stream.seek(0)
        self._data = stream.read()
        self._raw: Any = rawpy.RawPy()
        self._call(self._raw.open_buffer, io.BytesIO(self._data))
        sizes = self._raw.sizes
        self.orientation = _ORIENTATIONS.get(sizes.flip, 1)
        size = (int(sizes.width), int(sizes.height))
        self.size = size if self.orientation < 5 else (size[1], size[0])

    def read(self, max_side: int | None) -> Reading:
        """The preview or the developed picture, upright; at least ``max_side`` pixels long."""
        wanted = max(self.size) if max_side is None else min(max_side, max(self.size))
        preview = self._preview()
        taken_at = self._taken_at(preview)
        reading = None
        if preview is not None:
            reading = self._fitting(preview, wanted, max_side, taken_at)
        if reading is None:
            pixels = self._developed(half=max(self.size) // 2 >= wanted)
            reading = Reading(pixels, 1, taken_at)
        self._raw.close()
        return reading

    def _call(self, function: Any, *arguments: Any, **options: Any) -> Any:
        try:
            return function(*arguments, **options)
        except self._errors.LibRawIOError as error:
            raise EOFError("unexpected end: the file ends before its data does") from error

    def _developed(self, *, half: bool) -> Pixels:
        options = {"use_camera_wb": True, "half_size": half, "output_bps": 8}
        return np.asarray(self._call(self._raw.postprocess, **options), np.uint8)

    def _preview(self) -> Image.Image | None:
        try:
            thumbnail = self._raw.extract_thumb()
        except self._errors.LibRawError:  # there is none, or none of a known kind
            return None
        if thumbnail.format == self._errors.ThumbFormat.BITMAP:
            return Image.fromarray(np.asarray(thumbnail.data, np.uint8))
        try:
            return JpegImageFile(io.BytesIO(thumbnail.data))
        except Exception:  # a damaged preview is no reason to refuse a photo
            return None

    def _fitting(
        self, preview: Image.Image, wanted: int, max_side: int | None, taken_at: str
    ) -> Reading | None:
        """The preview, if it is large enough and shows what the developed picture shows."""
        long_side = max(preview.size)
        if not _SAME_SIZE * wanted <= long_side <= max(self.size) / _SAME_SIZE:
            return None
        # LibRaw adds the turn of the file to a preview that states none.
        stated = read_exif(preview)[0] if isinstance(preview, JpegImageFile) else self.orientation
        shape = self.size[0] / self.size[1]
        for orientation in (stated, 1):  # some cameras turn the preview, but not the statement
            width, height = preview.size if orientation < 5 else reversed(preview.size)
            if abs(width / height / shape - 1) < _SAME_SHAPE:
                try:
                    if isinstance(preview, JpegImageFile):
                        preview = load(preview, max_side)
                    return Reading(upright(to_rgb(preview), orientation), 1, taken_at)
                except Exception:  # damaged: there is still the sensor's data
                    return None
        return None

    def _taken_at(self, preview: Image.Image | None) -> str:
        """When the photo was taken: by the file's EXIF where it is a TIFF, else the preview's."""
        exif = Image.Exif()
        try:
            exif.load(self._data)
        except Exception:  # no TIFF, or a damaged one
            return read_exif(preview)[1] if preview else ""
        return exif_facts(exif)[1] or (read_exif(preview)[1] if preview else "")
