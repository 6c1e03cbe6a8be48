"""XML of strangers: no document type, so no entities; bounded in size, depth and elements."""

from __future__ import annotations

from xml.etree import ElementTree
from xml.parsers import expat

MOST_BYTES = 16 << 20
_MOST_DEPTH = 100
_MOST_ELEMENTS = 500_000


def parse_xml(data: bytes) -> ElementTree.Element:
    """The root of the document ``data``; names are ``{namespace}name``.

    Raises ValueError for what is no XML, has a document type, or is beyond the bounds.
    """
    if len(data) > MOST_BYTES:
        raise ValueError(f"expected at most {MOST_BYTES} bytes of XML, got {len(data)}")
    reader = _Reader()
    try:
        return reader.read(data.strip(b"\0 \t\r\n"))
    except expat.ExpatError as error:
        raise ValueError(f"it is no XML: {error}") from None


class _Reader:
    """Builds the tree of one document."""

    def __init__(self) -> None:
        self._builder = ElementTree.TreeBuilder()
        self._depth = 0
        self._elements = 0

    def read(self, data: bytes) -> ElementTree.Element:
        # A separator of "}" makes "namespace}name", as ElementTree has it but for the first "{".
        parser = expat.ParserCreate(namespace_separator="}")
        parser.buffer_text = True
        parser.StartDoctypeDeclHandler = self._refuse
        parser.StartElementHandler = self._start
        parser.EndElementHandler = self._end
        parser.CharacterDataHandler = self._builder.data
        parser.Parse(data, True)
        return self._builder.close()

    def _refuse(self, *_: object) -> None:
        raise ValueError("it has a document type, which is not read")

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        self._depth += 1
        self._elements += 1
        if self._depth > _MOST_DEPTH or self._elements > _MOST_ELEMENTS:
            raise ValueError("it is nested too deep, or has too many elements")
        named = {_qualified(key): value for key, value in attributes.items()}
        self._builder.start(_qualified(name), named)

    def _end(self, name: str) -> None:
        self._depth -= 1
        self._builder.end(_qualified(name))


def _qualified(name: str) -> str:
    return f"{{{name}" if "}" in name else name
