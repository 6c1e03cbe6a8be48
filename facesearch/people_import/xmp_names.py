"""People in an XMP packet (ISO 16684-1): regions, and people and keywords without a place.

Regions are those of the Metadata Working Group (Guidelines for Handling Image Metadata, version
2.0, section 5.9) and of Microsoft ("People Tagging" of the Windows Imaging Component). RDF may be
written in several ways that mean the same: a field is an attribute or an element, and a structure
may have an rdf:Description around its fields.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from xml.etree.ElementTree import Element

from facesearch.people_import.noted_names import (
    NamedRegion,
    NotedNames,
    box_around,
    checked_box,
)
from facesearch.people_import.safe_xml import parse_xml

PEOPLE_TAGS = ("People",)  # above whom keywords of people are
_RDF = "{http://www.w3.org/1999/02/22-rdf-syntax-ns#}"
_REGIONS = "{http://www.metadataworkinggroup.com/schemas/regions/}"
_AREA = "{http://ns.adobe.com/xmp/sType/Area#}"
_SIZE = "{http://ns.adobe.com/xap/1.0/sType/Dimensions#}"
_MICROSOFT = "{http://ns.microsoft.com/photo/1.2/}"
_MICROSOFT_INFO = "{http://ns.microsoft.com/photo/1.2/t/RegionInfo#}"
_MICROSOFT_REGION = "{http://ns.microsoft.com/photo/1.2/t/Region#}"
_PEOPLE = "{http://iptc.org/std/Iptc4xmpExt/2008-02-29/}PersonInImage"
# Keywords that are a tree, and what separates its levels.
_KEYWORDS = (
    ("{http://ns.adobe.com/lightroom/1.0/}hierarchicalSubject", "|"),
    ("{http://www.digikam.org/ns/1.0/}TagsList", "/"),
    ("{http://ns.microsoft.com/photo/1.0/}LastKeywordXMP", "/"),
)
# Of digiKam, for faces that have no name yet.
_NO_NAMES = frozenset(("unknown", "unconfirmed", "ignored", ""))


def names_in_xmp(
    packet: bytes, source: str, people_tags: Sequence[str] = PEOPLE_TAGS
) -> NotedNames:
    """What ``packet`` notes; raises ValueError for one that is no XMP."""
    root = parse_xml(packet)
    if root.tag != f"{_RDF}RDF" and root.find(f".//{_RDF}RDF") is None:
        raise ValueError("it is no XMP: there is no rdf:RDF in it")
    found = _Regions()
    for regions in root.iter(f"{_REGIONS}Regions"):
        found.add_working_group(regions)
    for info in root.iter(f"{_MICROSOFT}RegionInfo"):
        found.add_microsoft(info)
    people = [text for list_ in root.iter(_PEOPLE) for text in _texts(list_)]
    people += found.people + _keywords(root, people_tags)
    return NotedNames(
        source,
        tuple(found.regions),
        tuple(dict.fromkeys(name for name in people if name.casefold() not in _NO_NAMES)),
        tuple(found.unusable),
        found.unnamed,
    )


class _Regions:
    """Regions as they are found."""

    def __init__(self) -> None:
        self.regions: list[NamedRegion] = []
        self.people: list[str] = []
        self.unusable: list[str] = []
        self.unnamed = 0

    def add_working_group(self, regions: Element) -> None:
        applied = _field(regions, f"{_REGIONS}AppliedToDimensions")
        size = None if applied is None else _size(applied)
        for item in _items(_field(regions, f"{_REGIONS}RegionList")):
            if (_value(item, f"{_REGIONS}Type") or "Face") != "Face":
                continue
            name = _value(item, f"{_REGIONS}Name") or ""
            if name.casefold() in _NO_NAMES:
                self.unnamed += 1
                continue
            try:
                self.regions.append(_working_group(item, name, size))
            except ValueError as error:
                self.unusable.append(str(error))

    def add_microsoft(self, info: Element) -> None:
        for item in _items(_field(info, f"{_MICROSOFT_INFO}Regions")):
            name = _value(item, f"{_MICROSOFT_REGION}PersonDisplayName") or ""
            place = _value(item, f"{_MICROSOFT_REGION}Rectangle")
            if name.casefold() in _NO_NAMES:
                self.unnamed += 1
            elif place is None:
                self.people.append(name)
            else:
                try:
                    x, y, width, height = map(_number, place.split(","))
                    box = checked_box((x, y, x + width, y + height))
                    self.regions.append(NamedRegion(name, box))
                except ValueError as error:
                    self.unusable.append(f"region {place[:60]!r}: {error}")


def _working_group(item: Element, name: str, size: tuple[float, float] | None) -> NamedRegion:
    area = _field(item, f"{_REGIONS}Area")
    if area is None:
        raise ValueError("a region without an area")
    texts = {key: _value(area, f"{_AREA}{key}") for key in ("x", "y", "w", "h", "d", "unit")}
    if texts["d"] is not None and texts["w"] is None:
        return NamedRegion(name, _circle(texts, size), applied_to=size)
    x, y, width, height = (_number(texts[key]) for key in ("x", "y", "w", "h"))
    if texts["unit"] == "pixel":
        if size is None:
            raise ValueError("an area in pixels of a picture whose size is not stated")
        x, y, width, height = x / size[0], y / size[1], width / size[0], height / size[1]
    return NamedRegion(name, box_around(x, y, width, height), applied_to=size)


def _circle(
    texts: dict[str, str | None], size: tuple[float, float] | None
) -> tuple[float, float, float, float]:
    """The square around a circle, whose diameter is a share of the picture's shorter side."""
    if size is None:
        raise ValueError("a circle on a picture whose size is not stated")
    x, y, diameter = (_number(texts[key]) for key in ("x", "y", "d"))
    pixels = diameter * min(size)
    return box_around(x, y, pixels / size[0], pixels / size[1])


def _size(applied: Element) -> tuple[float, float] | None:
    try:
        width, height = (_number(_value(applied, f"{_SIZE}{key}")) for key in ("w", "h"))
    except ValueError:
        return None
    return (width, height) if width > 0 and height > 0 else None


def _keywords(root: Element, people_tags: Sequence[str]) -> list[str]:
    """The last levels of keywords below one of ``people_tags``."""
    above = {tag.casefold() for tag in people_tags}
    paths = {
        tuple(part.strip() for part in text.split(separator))
        for tag, separator in _KEYWORDS
        for list_ in root.iter(tag)
        for text in _texts(list_)
    }
    below = {path for path in paths if len(path) > 1 and path[0].casefold() in above}
    # Some programs write the groups that a person is in as keywords too.
    groups = {path[:end] for path in below for end in range(1, len(path))}
    return sorted({path[-1] for path in below - groups})


def _texts(list_: Element) -> list[str]:
    return [text for item in _items(list_) if (text := " ".join((item.text or "").split()))]


def _items(list_: Element | None) -> Iterator[Element]:
    """The members of a list."""
    if list_ is None:
        return
    for kind in ("Bag", "Seq", "Alt"):
        for container in list_.findall(f"{_RDF}{kind}"):
            yield from container.findall(f"{_RDF}li")


def _field(node: Element, name: str) -> Element | None:
    """A field of a structure that has fields itself."""
    found = node.find(name)
    return node.find(f"{_RDF}Description/{name}") if found is None else found


def _value(node: Element, name: str) -> str | None:
    """A field of a structure that is a text."""
    described = node.find(f"{_RDF}Description")
    for each in (node, described):
        if each is None:
            continue
        text = each.get(name)
        if text is None:
            text = each.findtext(name)
        if text is not None:
            return " ".join(text.split())
    return None


def _number(text: str | None) -> float:
    try:
        return float(text or "")
    except ValueError:
        raise ValueError(f"expected a number, got {(text or '')[:40]!r}") from None
