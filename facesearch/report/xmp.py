"""Names as XMP sidecar files: the face regions of the Metadata Working Group, which photo managers
read (Guidelines for Handling Image Metadata, version 2.0, section 5.9).

Areas are centres, widths and heights as shares of the photo as it is *stored*: a reader turns them
with the photo by its EXIF orientation. Who reads no regions finds the names as PersonInImage (IPTC
Photo Metadata Standard) and as keywords, below "People" where keywords are a tree. Originals are
never touched, and of sidecars only those that carry this program's mark are replaced or removed.
"""

from __future__ import annotations

import hashlib
import logging
import os
import re
import stat
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from xml.sax.saxutils import escape, unescape

from facesearch.album.model import Album, AlbumFace, FailedPhoto
from facesearch.errors import PhotoError
from facesearch.images.formats.metadata import read_metadata
from facesearch.images.formats.orientation import Box, stored_box
from facesearch.images.sidecars import (
    SIDECAR_MARK,
    SIDECAR_SUFFIX,
    is_facesearch_sidecar,
    sidecar_of,
)
from indexer.storage.atomic_files import make_folder, write_atomically
from indexer.storage.plain_files import read_plain

logger = logging.getLogger(__name__)

PEOPLE_KEYWORD = "People"  # above whom photo managers keep the keywords of people
_PACKET = """<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>
<x:xmpmeta xmlns:x="adobe:ns:meta/" {mark}>
 <rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">
  <rdf:Description rdf:about=""
    xmlns:mwg-rs="http://www.metadataworkinggroup.com/schemas/regions/"
    xmlns:stArea="http://ns.adobe.com/xmp/sType/Area#"
    xmlns:stDim="http://ns.adobe.com/xap/1.0/sType/Dimensions#"
    xmlns:dc="http://purl.org/dc/elements/1.1/"
    xmlns:lr="http://ns.adobe.com/lightroom/1.0/"
    xmlns:digiKam="http://www.digikam.org/ns/1.0/"
    xmlns:Iptc4xmpExt="http://iptc.org/std/Iptc4xmpExt/2008-02-29/">
   <mwg-rs:Regions rdf:parseType="Resource">
    <mwg-rs:AppliedToDimensions stDim:w="{width}" stDim:h="{height}" stDim:unit="pixel"/>
    <mwg-rs:RegionList>
     <rdf:Bag>
{regions}
     </rdf:Bag>
    </mwg-rs:RegionList>
   </mwg-rs:Regions>
{lists}
  </rdf:Description>
 </rdf:RDF>
</x:xmpmeta>
<?xpacket end="w"?>
"""
_REGION = """      <rdf:li rdf:parseType="Resource">
       <mwg-rs:Area stArea:x="{x:.6f}" stArea:y="{y:.6f}" stArea:w="{w:.6f}" stArea:h="{h:.6f}" \
stArea:unit="normalized"/>
       <mwg-rs:Type>Face</mwg-rs:Type>
       <mwg-rs:Name>{name}</mwg-rs:Name>
      </rdf:li>"""
_LIST = """   <{tag}>
    <rdf:{kind}>
{items}
    </rdf:{kind}>
   </{tag}>"""
# What separates the levels of a keyword, so that it cannot be in a name.
_SEPARATORS = re.compile(r"\s*[|/]\s*")


@dataclass(frozen=True)
class NamedFace:
    """A face with the name of its person."""

    name: str
    face: AlbumFace


@dataclass(frozen=True)
class Sidecars:
    """What was done: files ``written``, ours ``removed`` as no one on the photo has a name any
    more, and photos ``skipped``, with the reason."""

    written: int
    removed: int
    skipped: tuple[FailedPhoto, ...]


def write_sidecars(album: Album, folder: Path | None) -> Sidecars:
    """A sidecar for each photo of ``album`` that shows someone with a name, and each copy of it.

    They go to ``folder``, in which each photo's relative path is kept, or beside the photos where
    it is None. A sidecar of another program is left alone, and reported. That of a photo that is
    not there now, as on a drive that is not connected, stays while its names are right. Videos get
    none: a region has no time.
    """
    named = _named_by_photo(album)
    everywhere = {
        face.photo: face for each in album.faces if each.span is None for face in _everywhere(each)
    }
    places = _places(everywhere, folder)
    written, removed, skipped, ours = 0, 0, [], set()
    for photo, place in places.items():
        faces = named.get(photo, [])
        try:
            if faces:
                _write(photo, faces, place, folder)
                ours.add(place)
                written += 1
            elif is_facesearch_sidecar(place):
                place.unlink()
                removed += 1
        except _SkippedError as problem:
            if problem.reason == "missing" and _names_in(place) <= {each.name for each in faces}:
                ours.add(place)
            skipped.append(FailedPhoto(faces[0].face.name, problem.reason, str(problem)))
        except OSError as error:
            name = faces[0].face.name if faces else str(photo)
            skipped.append(FailedPhoto(name, "unreadable", error.strerror or str(error)))
    if folder is not None and folder.is_dir():
        removed += _prune(folder, ours)
    return Sidecars(written, removed, tuple(skipped))


def regions_xml(faces: Sequence[NamedFace], size: tuple[int, int], orientation: int) -> str:
    """The XMP packet for the faces of one photo of ``size`` (width, height), upright.

    ``orientation`` (1 to 8) is what EXIF asks for the photo as it is stored.
    """
    width, height = size if orientation < 5 else size[::-1]
    regions = []
    for each in faces:
        x0, y0, x1, y1 = stored_box(_shares(each.face.box, size), orientation)
        regions.append(
            _REGION.format(
                x=(x0 + x1) / 2, y=(y0 + y1) / 2, w=x1 - x0, h=y1 - y0, name=_text(each.name)
            )
        )
    return _PACKET.format(
        mark=SIDECAR_MARK,
        width=width,
        height=height,
        regions="\n".join(regions),
        lists=_lists(list(dict.fromkeys(each.name for each in faces))),
    )


def _lists(names: Sequence[str]) -> str:
    """The names as people and as keywords, each in the form that some program reads."""
    plain = [_SEPARATORS.sub(" - ", name) for name in names]
    lists = (
        ("Iptc4xmpExt:PersonInImage", "Bag", names),
        ("dc:subject", "Bag", names),
        ("lr:hierarchicalSubject", "Bag", [f"{PEOPLE_KEYWORD}|{name}" for name in plain]),
        ("digiKam:TagsList", "Seq", [f"{PEOPLE_KEYWORD}/{name}" for name in plain]),
    )
    return "\n".join(
        _LIST.format(
            tag=tag,
            kind=kind,
            items="\n".join(f"     <rdf:li>{_text(value)}</rdf:li>" for value in values),
        )
        for tag, kind, values in lists
    )


def _shares(box: Box, size: tuple[int, int]) -> Box:
    """``box`` in pixels of a photo of ``size``, as shares of it, cut at its edges."""
    shares = (box[0] / size[0], box[1] / size[1], box[2] / size[0], box[3] / size[1])
    x0, y0, x1, y1 = (min(max(share, 0.0), 1.0) for share in shares)
    return x0, y0, x1, y1


class _SkippedError(Exception):
    """Why a photo gets no sidecar: a reason of the report's, and the detail."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason


def _write(photo: Path, faces: Sequence[NamedFace], place: Path, folder: Path | None) -> None:
    if os.path.lexists(place) and not is_facesearch_sidecar(place):
        raise _SkippedError("foreign-sidecar", f"{place} is of another program and was left alone")
    size = faces[0].face.photo_size
    orientation = _orientation(photo, size)
    if folder is not None:
        for below in reversed(place.relative_to(folder).parents):
            make_folder(folder / below)
    text = regions_xml(faces, size, orientation).encode("utf-8")
    # Names are for whom the photo is for, and for nobody else.
    mode = stat.S_IMODE(photo.stat().st_mode) & 0o666
    write_atomically(place, text, mode=mode)


def _orientation(photo: Path, size: tuple[int, int]) -> int:
    """By which orientation readers turn the photo, once it is seen to be the one indexed."""
    if not photo.is_file():
        raise _SkippedError("missing", "if it was moved or deleted, run facesearch index again")
    try:
        found = read_metadata(photo)
    except PhotoError as error:  # damaged since
        raise _SkippedError(error.reason, error.detail) from error
    if found.size != size:
        detail = f"{size[0]} x {size[1]} pixels when indexed; run facesearch index again"
        raise _SkippedError("changed", detail)
    return found.orientation


def _named_by_photo(album: Album) -> dict[Path, list[NamedFace]]:
    named: dict[Path, list[NamedFace]] = {}
    for person in album.people:
        for each in person.faces if person.name is not None else ():
            if each.span is not None:
                continue
            for face in _everywhere(each):
                named.setdefault(face.photo, []).append(NamedFace(person.name or "", face))
    for faces in named.values():
        faces.sort(key=lambda each: (each.face.box, each.name))
    return named


def _everywhere(face: AlbumFace) -> list[AlbumFace]:
    """The face in its photo, and in each copy of that."""
    copies = [replace(face, photo=each.photo, name=each.name) for each in face.copies]
    return [face, *copies]


def _names_in(place: Path) -> set[str]:
    """The names in a sidecar of ours; none where there is none."""
    if not is_facesearch_sidecar(place):
        return set()
    text = read_plain(place).decode("utf-8", "replace")
    return {unescape(name) for name in re.findall("<mwg-rs:Name>(.*?)</mwg-rs:Name>", text, re.S)}


def _places(faces: Mapping[Path, AlbumFace], folder: Path | None) -> dict[Path, Path]:
    """Where the sidecar of each photo belongs; ``faces`` has one of each."""
    photos = sorted(faces)
    if folder is None:
        return {photo: sidecar_of(photo) for photo in photos}
    depth = {photo: max(1, len(Path(face.name).parts)) for photo, face in faces.items()}
    # A gallery of somebody else's may have ".." in a path, and must not lead out of the folder.
    below = {
        photo: Path(*(part for part in photo.parts[-depth[photo] :] if part not in ("..", "/")))
        for photo in photos
    }
    roots = {photo: photo.parents[depth[photo] - 1] for photo in photos}
    # One folder for each of several indexed folders, as their photos may have equal names.
    several = len(set(roots.values())) > 1
    places = {}
    for photo in photos:
        start = folder / _folder_name(roots[photo]) if several else folder
        place = start / below[photo]
        places[photo] = place.with_name(place.name + SIDECAR_SUFFIX)
    return places


def _folder_name(root: Path) -> str:
    digest = hashlib.sha256(os.fsencode(root)).hexdigest()[:8]
    return f"{root.name}-{digest}" if root.name else digest


def _prune(folder: Path, keep: set[Path]) -> int:
    """Remove own sidecars of faces that went or lost their names, and folders left empty."""
    removed = 0
    for path in sorted(folder.rglob("*"), reverse=True):
        if path not in keep and path.suffix == SIDECAR_SUFFIX and is_facesearch_sidecar(path):
            path.unlink()
            removed += 1
        elif path.is_dir() and not path.is_symlink() and not any(path.iterdir()):
            path.rmdir()
    return removed


def _text(name: str) -> str:
    """``name`` as XML text, without the characters that XML 1.0 cannot hold."""
    return escape(re.sub("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]", "\ufffd", name))
