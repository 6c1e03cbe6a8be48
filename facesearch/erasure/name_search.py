"""Files in which a name is left: text that holds it as a word, and not within a longer name.

Vectors, numbers and pixels may hold the bytes of a short name by chance (of three letters about
once in 16 million bytes), and hold no names. So only files with text are looked through, and of a
database the values in it and what lies beside its rows.
"""

from __future__ import annotations

import codecs
import html
import json
import re
import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import get_args
from xml.sax.saxutils import escape

from facesearch.erasure.database_leftovers import MAGIC, leftovers
from facesearch.erasure.gallery_files import all_files, pieces
from facesearch.errors import GalleryError
from facesearch.people.ledger import Action, Ledger
from facesearch.text import spellings
from indexer.storage.plain_files import open_plain

# Arrays, pictures, indices, digests: in a gallery nobody's name is ever written to one.
WITHOUT_TEXT = frozenset(
    (".h5", ".faiss", ".safetensors", ".sha256", ".jpg", ".jpeg", ".png", ".webp", ".gif")
)
# Of these the paths may hold a name, as those of photos in shards may.
WITH_PATHS = frozenset(("outputs.json",))
TEXT = frozenset((".json", ".html", ".csv", ".xmp", ".xml", ".txt", ".svg", ".js", ".css", ".md"))
SURE_BYTES = 6  # so long a name is in no file by chance: about once in 3e14 bytes
DATABASE = "people.sqlite"
_HEAD = 1 << 16
_CONTEXT = 16  # bytes around a name by which it is seen to be a word
_ESCAPE_BEFORE = re.compile(r"(?<!\\)(?:\\\\)*\\(u[0-9a-fA-F]{4}|[bfnrt])\Z")
_ESCAPE_AFTER = re.compile(r"\\(u[0-9a-fA-F]{4}|.)", re.DOTALL)
Encodings = tuple[str, ...]
# By which categories of characters bytes are seen to be no text; in UTF-16 nearly all bytes are
# characters.
_UNFIT = {
    "utf-8": {"Cc"},
    "utf-16-le": {"Cc", "Cn", "Co"},
    "utf-16-be": {"Cc", "Cn", "Co"},
}
ENCODINGS: Encodings = tuple(_UNFIT)


def names_found(folder: Path, names: Iterable[str]) -> list[Path]:
    """Files of the gallery ``folder`` with text in which, or in whose name, one of ``names`` is.

    Each name is looked for in the normal forms C and D of Unicode, in UTF-8 and UTF-16, and as
    JSON, HTML, XML and CSV write it. It is found as a word of its text: not in "Adam" where "Ada"
    is looked for, nor in "Ada Lovelace" if the gallery's decisions still give that name to
    somebody. Left out are files that hold vectors, numbers or pixels (:data:`WITHOUT_TEXT`), which
    hold no names, and such as hold paths of photos and folders, in which a name may be. Of a file
    of no known kind that is not text, only names of :data:`SURE_BYTES` bytes or more are found.
    """
    wanted = frozenset(form for name in names for form in spellings(name) if form)
    if not wanted:
        return []
    texts = _ledger_texts(folder)
    search = _NameSearch.of(wanted, texts.names if texts else frozenset())
    return [
        path
        for path in all_files(folder)
        if search.in_text("/".join(path.relative_to(folder).parts)) or _in_file(path, search, texts)
    ]


@dataclass(frozen=True)
class _LedgerTexts:
    """What a ledger says: names of people, and ``others`` in which a name may be."""

    names: frozenset[str]
    others: frozenset[str]


def _ledger_texts(folder: Path) -> _LedgerTexts | None:
    """None where there is no ledger, or none that can be read."""
    ledger = Ledger(folder)
    try:
        named = frozenset(each.name for each in ledger.all() if each.name is not None)
        authors = ledger.authors().values()
    except GalleryError:
        return None
    asked = frozenset(each.request for each in authors if each.request is not None)
    return _LedgerTexts(named, asked | {each.name for each in authors})


def _in_file(path: Path, search: _NameSearch, texts: _LedgerTexts | None) -> bool:
    kind, encodings = _kind(path)
    if kind == "database":
        return _in_database(path, search, texts)
    if kind == "text":
        search = search.only(encodings)
        return any(search.within(*piece) for piece in pieces(path, search.reach))
    return kind == "unknown" and any(
        search.sure_within(*piece) for piece in pieces(path, search.reach)
    )


def _kind(path: Path) -> tuple[str, Encodings]:
    """What a file holds: a "database", "text", "unknown" bytes, or nothing with a name ("").

    Also, of text, its encoding; all of them where it is in none.
    """
    name = path.name
    if name.startswith(".") and name.endswith(".partial"):
        name = name[1 : -len(".partial")]
    suffix = Path(name).suffix.lower()
    if suffix in WITHOUT_TEXT or name in WITH_PATHS or path.parent.name.startswith("shards"):
        return "", ()
    if name.startswith(DATABASE):
        return "database", ()
    try:
        with open_plain(path) as file:
            head = file.read(_HEAD)
    except FileNotFoundError:
        return "", ()
    if head.startswith(MAGIC):
        return "database", ()
    encodings = _encodings(head)
    if not encodings and suffix not in TEXT:
        return "unknown", ()
    return "text", encodings or ENCODINGS


def _encodings(head: bytes) -> Encodings:
    """In which encoding a file that begins with ``head`` is text; several if one cannot tell."""
    texts = {
        encoding: text
        for encoding, unfit in _UNFIT.items()
        if (text := _decoded(head, encoding)) is not None
        and not {unicodedata.category(each) for each in {*text} - {*"\t\r\n\f"}} & unfit
    }
    if "utf-8" in texts:
        return ("utf-8",)
    # Bytes in the wrong order are other letters, of scripts that are rare together.
    latin = {name: sum(each < "\u0100" for each in text) for name, text in texts.items()}
    most = max(latin.values(), default=0)
    return tuple(name for name, count in latin.items() if most and count == most)


def _decoded(head: bytes, encoding: str) -> str | None:
    """The text that ``head`` is in ``encoding``, if it is any; it may end within a character."""
    try:
        return codecs.getincrementaldecoder(encoding)().decode(head)
    except UnicodeDecodeError:
        return None


def _in_database(path: Path, search: _NameSearch, texts: _LedgerTexts | None) -> bool:
    """Whether a name is in the ledger, or in bytes of its file that are in no row.

    Any other database, one that cannot be read, and a journal, are searched at every byte.
    """
    data = b"".join(piece[start:stop] for piece, start, stop in pieces(path, 0))
    if path.name != DATABASE or texts is None:
        return search.in_bytes(data)
    said = (*texts.names, *texts.others)
    return any(search.in_text(each) for each in said) or any(
        search.in_bytes(part) for part in leftovers(data) if part.strip(b"\0")
    )


@dataclass(frozen=True)
class _WrittenName:
    """How a name is written: ``data`` in ``encoding``, and where that is within longer names.

    ``first`` and ``last`` are the name's first and last character. ``within`` are the bytes before
    and after it in each longer name that is somebody else's.
    """

    data: bytes
    encoding: str
    first: str
    last: str
    within: tuple[tuple[bytes, bytes], ...] = ()

    def is_word(self, data: bytes, start: int) -> bool:
        """Whether the occurrence at ``start`` of ``data`` ends where words end."""
        end = start + len(self.data)
        before = _character_before(data[max(0, start - _CONTEXT) : start], self.encoding)
        after = _character_after(data[end : end + _CONTEXT], self.encoding)
        return not (
            (_is_letter(self.first) and self._goes_on(before, self.first))
            or ((_is_letter(self.last) and self._goes_on(after, self.last)) or _is_mark(after))
        )

    def _goes_on(self, beside: str, edge: str) -> bool:
        """Whether a word goes on from the character ``edge`` of the name to the one ``beside``.

        What is read as UTF-16 may be something else: there only a letter of one script counts.
        """
        if not beside or not _is_letter(beside):
            return False
        return self.encoding == "utf-8" or ord(beside) >> 8 == ord(edge) >> 8

    def is_anothers(self, data: bytes, start: int) -> bool:
        """Whether the occurrence at ``start`` of ``data`` is within a longer name."""
        end = start + len(self.data)
        return any(
            start >= len(before)
            and data.startswith(before, start - len(before))
            and data.startswith(after, end)
            for before, after in self.within
        )


@dataclass(frozen=True)
class _NameSearch:
    """All ways in which some names are written."""

    forms: tuple[_WrittenName, ...]
    reach: int

    @classmethod
    def of(cls, wanted: frozenset[str], kept: frozenset[str]) -> _NameSearch:
        """For ``wanted`` names, in each spelling, where ``kept`` are names that may be there."""
        forms: dict[tuple[bytes, str], _WrittenName] = {}
        longer = frozenset(each for name in kept for each in spellings(name)) - wanted
        for name in wanted:
            others = frozenset(each for each in longer if name in each)
            for data, encoding in _written(name):
                within = {pair for other in others for pair in _around(data, encoding, other)}
                forms[data, encoding] = _WrittenName(
                    data, encoding, name[0], name[-1], tuple(sorted(within))
                )
        reach = _CONTEXT + max(
            len(form.data) + max((len(part) for pair in form.within for part in pair), default=0)
            for form in forms.values()
        )
        return cls(tuple(forms.values()), reach)

    def only(self, encodings: Encodings) -> _NameSearch:
        """The search in text of one of these encodings."""
        return replace(self, forms=tuple(e for e in self.forms if e.encoding in encodings))

    def in_text(self, text: str) -> bool:
        """Whether a name is a word in ``text``."""
        data = text.encode("utf-8", "replace")
        return self.only(("utf-8",)).within(data, 0, len(data))

    def within(self, data: bytes, start: int, stop: int) -> bool:
        """Whether a name that is a word begins in ``data`` from ``start`` to before ``stop``."""
        return any(
            form.is_word(data, at) and not form.is_anothers(data, at)
            for form in self.forms
            for at in _occurrences(data, form.data, start, stop)
        )

    def in_bytes(self, data: bytes) -> bool:
        """Whether a name is anywhere in bytes of a database, where nothing parts two values.

        The words that a ledger has for kinds of decisions may be there."""
        return any(
            not form.is_anothers(data, at) and not _in_word_of_ledger(data, at, form.data)
            for form in self.forms
            for at in _occurrences(data, form.data, 0, len(data))
        )

    def sure_within(self, data: bytes, start: int, stop: int) -> bool:
        """As :meth:`within`, of names that are not there by chance."""
        return any(
            len(form.data) >= SURE_BYTES and not form.is_anothers(data, at)
            for form in self.forms
            for at in _occurrences(data, form.data, start, stop)
        )


def _occurrences(data: bytes, form: bytes, start: int, stop: int) -> Iterator[int]:
    at = data.find(form, start)
    while 0 <= at < stop:
        yield at
        at = data.find(form, at + 1)


def _written(name: str) -> Iterator[tuple[bytes, str]]:
    """How ``name`` may be written, with the encoding of what is around it."""
    quoted = html.escape(name, quote=True)
    plain = (
        name,
        json.dumps(name)[1:-1],
        json.dumps(name, ensure_ascii=False)[1:-1],
        escape(name),
        quoted,
        quoted.replace("&#x27;", "&#39;").replace("&quot;", "&#34;"),
        name.replace('"', '""'),
    )
    for each in dict.fromkeys(plain):
        yield each.encode("utf-8", "replace"), "utf-8"
    for encoding in ("utf-16-le", "utf-16-be"):
        yield name.encode(encoding, "replace"), encoding


def _around(data: bytes, encoding: str, other: str) -> Iterator[tuple[bytes, bytes]]:
    """What is before and after ``data`` wherever it is in the name ``other`` as that is written."""
    for whole, of in _written(other):
        if of == encoding and len(whole) > len(data):
            for at in _occurrences(whole, data, 0, len(whole)):
                yield whole[:at], whole[at + len(data) :]


def _character_before(data: bytes, encoding: str) -> str:
    """The last character of ``data``, JSON's escapes read; "" where there is none."""
    if encoding != "utf-8":
        return data[-2:].decode(encoding, "replace") if len(data) > 1 else ""
    text = data.decode("utf-8", "replace")
    if found := _ESCAPE_BEFORE.search(text):
        return _unescaped(found[1])
    return text[-1:]


def _character_after(data: bytes, encoding: str) -> str:
    """The first character of ``data``, JSON's escapes read; "" where there is none."""
    if encoding != "utf-8":
        return data[:2].decode(encoding, "replace") if len(data) > 1 else ""
    text = data.decode("utf-8", "replace")
    if found := _ESCAPE_AFTER.match(text):
        return _unescaped(found[1])
    return text[:1]


def _unescaped(code: str) -> str:
    """The character of ``\\u00eb``; of other escapes something that is no letter."""
    return chr(int(code[1:], 16)) if len(code) == 5 else "\n"


def _is_letter(character: str) -> bool:
    return unicodedata.category(character)[0] in "LMN"


def _is_mark(character: str) -> bool:
    """Whether it belongs to the character before."""
    return bool(character) and unicodedata.category(character)[0] == "M"


_LEDGER_WORDS = tuple(word.encode() for word in get_args(Action))


def _in_word_of_ledger(data: bytes, at: int, form: bytes) -> bool:
    """Whether the bytes at ``at`` are in a word that a ledger has for a kind of decision."""
    for word in _LEDGER_WORDS:
        offset = word.find(form)
        if offset >= 0 and at >= offset and data.startswith(word, at - offset):
            return True
    return False
