"""What is fuzzed: each target takes any bytes, and raises where something else than a stated error
comes of them."""

from __future__ import annotations

import io
import math
import os
import tempfile
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from unittest import mock

from facesearch.erasure.database_leftovers import leftovers
from facesearch.erasure.name_search import names_found
from facesearch.errors import FacesearchError
from facesearch.images.formats.iso_turns import turns_itself
from facesearch.images.formats.jpeg_xl import declared_size
from facesearch.images.formats.tiff_pages import TiffFile
from facesearch.model_files.download import DATA_VARIABLE
from facesearch.people_import.picasa import names_in_ini, read_contacts, read_ini
from facesearch.people_import.xmp_names import names_in_xmp
from fuzz.array_files import read_merges, read_run, read_shard, whole_files
from fuzz.byte_source import ByteSource
from fuzz.json_documents import KINDS, document_of
from indexer.errors import IndexerError

# Where files are made that one run reads: in memory, where there is such a place.
_PLACE = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
_MEANT = (FacesearchError, IndexerError)
_XMP = b"""<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF
 xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"><rdf:Description rdf:about=""
 xmlns:mwg-rs="http://www.metadataworkinggroup.com/schemas/regions/"
 xmlns:stArea="http://ns.adobe.com/xmp/sType/Area#"
 xmlns:stDim="http://ns.adobe.com/xap/1.0/sType/Dimensions#"
 xmlns:lr="http://ns.adobe.com/lightroom/1.0/"
 xmlns:MP="http://ns.microsoft.com/photo/1.2/"
 xmlns:MPRI="http://ns.microsoft.com/photo/1.2/t/RegionInfo#"
 xmlns:MPReg="http://ns.microsoft.com/photo/1.2/t/Region#"
 xmlns:Iptc4xmpExt="http://iptc.org/std/Iptc4xmpExt/2008-02-29/">
<mwg-rs:Regions rdf:parseType="Resource"><mwg-rs:AppliedToDimensions stDim:w="40" stDim:h="30"
 stDim:unit="pixel"/><mwg-rs:RegionList><rdf:Bag><rdf:li rdf:parseType="Resource"><mwg-rs:Area
 stArea:x="0.5" stArea:y="0.5" stArea:w="0.1" stArea:h="0.2" stArea:d="0.1"
 stArea:unit="normalized"/><mwg-rs:Type>Face</mwg-rs:Type><mwg-rs:Name>Ada</mwg-rs:Name></rdf:li>
</rdf:Bag></mwg-rs:RegionList></mwg-rs:Regions>
<MP:RegionInfo rdf:parseType="Resource"><MPRI:Regions><rdf:Bag><rdf:li
 MPReg:PersonDisplayName="Bea" MPReg:Rectangle="0.1, 0.2, 0.3, 0.4"/></rdf:Bag></MPRI:Regions>
</MP:RegionInfo><lr:hierarchicalSubject><rdf:Bag><rdf:li>People|Cy</rdf:li></rdf:Bag>
</lr:hierarchicalSubject><Iptc4xmpExt:PersonInImage><rdf:Bag><rdf:li>Di</rdf:li></rdf:Bag>
</Iptc4xmpExt:PersonInImage></rdf:Description></rdf:RDF></x:xmpmeta>"""
_INI = b"""[Contacts2]\r\n0123456789abcdef=Ada;;\r\n[a.jpg]\r\n
faces=rect64(3f845bcb59418507),0123456789abcdef;rect64(1),ffffffffffffffff\r\n"""
_TIFF = bytes.fromhex(
    "49492a0008000000" "0300" "000103000100000028000000" "010103000100000020000000"
    "4a0104000100000032000000" "00000000" "0000" "0100" "fe0004000100000001000000" "08000000"
)  # fmt: skip


@dataclass(frozen=True)
class FuzzTarget:
    """``run`` with bytes; ``seeds`` to begin from, and ``words`` that its inputs are made of."""

    run: Callable[[bytes], None]
    seeds: Callable[[], Sequence[bytes]]
    words: tuple[str, ...] = ()


def _in_folder(read: Callable[[ByteSource, Path], object]) -> Callable[[bytes], None]:
    """What ``read`` makes of bytes in an empty folder; errors that are meant are none."""

    def run(data: bytes) -> None:
        with tempfile.TemporaryDirectory(dir=_PLACE) as place, warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                read(ByteSource(data), Path(place))
            except _MEANT:
                return

    return run


def _json(source: ByteSource, folder: Path) -> None:
    kind = source.choice(KINDS)
    path = folder / kind.name
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(document_of(kind, source))
    path.chmod(0o600)
    with mock.patch.dict(os.environ, {DATA_VARIABLE: str(folder)}):
        try:
            kind.read(folder)
        except ValueError:  # of readers whose callers make another error of it
            if kind.name not in ("settings.json", "immich.json", "osxphotos.json"):
                raise


def _xmp(data: bytes) -> None:
    try:
        found = names_in_xmp(data, "a.xmp")
    except ValueError:
        return
    for region in found.regions:
        assert region.name and all(map(math.isfinite, region.box))


def _picasa(source: ByteSource, folder: Path) -> None:
    path = folder / ".picasa.ini"
    kind, rest = source.below(2), source.rest()
    path.write_bytes(rest)
    if kind:
        try:
            read_contacts(path)
        except ValueError:
            return
    names_in_ini(read_ini(path), folder / "a.jpg", {"0123456789abcdef": "Ada"})


def _pictures(data: bytes) -> None:
    turns_itself(io.BytesIO(data))
    found = TiffFile.read(io.BytesIO(data))
    if not found.is_raw and found.picture is not None:
        found.starting_with(found.picture)
    try:
        declared_size(data)
    except EOFError:
        return


def _names(source: ByteSource, folder: Path) -> None:
    """The search of a ledger's file and of text, which must end and find what is there."""
    ending, data = source.choice([".html", ".sqlite", ".json", ""]), source.rest()
    list(leftovers(data))
    (folder / f"file{ending}").write_bytes(data)
    (folder / "people.sqlite").write_bytes(data)
    names_found(folder, ["Ada", "Zoë"])
    place = folder / "plain.txt"
    place.write_bytes(data.replace(b"\\", b"/") + b" Ada ")
    if not data.count(b"\0"):
        assert place in names_found(folder, ["Ada"])


def _requests() -> Callable[[bytes], None]:
    """Requests to a service that runs, by bytes that Hypothesis draws them from."""
    from hypothesis import given, settings

    from support.serving.mutated_requests import answered_without_500, requests, running_service

    site, photo = running_service()

    @settings(database=None, deadline=None)
    @given(request=requests())
    def check(request: dict[str, object]) -> None:
        answered_without_500(site, photo, request)

    found: Callable[[bytes], object] = check.hypothesis.fuzz_one_input  # type: ignore[attr-defined]

    def run(data: bytes) -> None:
        found(data)

    return run


def _seeds_of_choices() -> list[bytes]:
    return [bytes([number, *range(1, 40)]) for number in range(16)]


def _of_arrays(read: Callable[[ByteSource, Path], object]) -> FuzzTarget:
    whole_files()  # once, before any input: making them takes longer than an input may
    return FuzzTarget(_in_folder(read), _seeds_of_choices)


def targets() -> dict[str, Callable[[], FuzzTarget]]:
    """Each target by its name; made when it is used."""
    words = ("rdf:li", "mwg-rs:Area", "stArea:x", "MPReg:Rectangle", "xmlns", "<![CDATA[", "&#0;")
    return {
        "shards": lambda: _of_arrays(read_shard),
        "clusterings": lambda: _of_arrays(read_run),
        "merges": lambda: _of_arrays(read_merges),
        "json": lambda: FuzzTarget(_in_folder(_json), _seeds_of_choices),
        "xmp": lambda: FuzzTarget(_xmp, lambda: [_XMP], words),
        "picasa": lambda: FuzzTarget(_in_folder(_picasa), lambda: [b"\0" + _INI, b"\1<contacts/>"]),
        "pictures": lambda: FuzzTarget(
            _pictures, lambda: [_TIFF], ("meta", "iprp", "ipco", "irot")
        ),
        "names": lambda: FuzzTarget(_in_folder(_names), lambda: [b"\0<p>Ada</p>", b"\2\\u00ebAda"]),
        "requests": lambda: FuzzTarget(_requests(), lambda: [bytes(range(200))]),
    }
