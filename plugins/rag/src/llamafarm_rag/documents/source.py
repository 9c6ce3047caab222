"""The bytes of a file that is being read, and what is told where they cannot be."""

from __future__ import annotations

import codecs
import os
import re
from dataclasses import dataclass
from pathlib import Path

from llamafarm_rag.errors import UnreadableFile

_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),  # it begins as that of UTF-16 does
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_SIGNATURES = (
    (b"%PDF-", "a PDF"),
    (b"PK\x03\x04", "a zip archive, or a document of an office program"),
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "a document of an office program of before 2007, or one with a password"),
    (b"\x89PNG", "a PNG picture"),
    (b"\xff\xd8\xff", "a JPEG picture"),
    (b"GIF8", "a GIF picture"),
    (b"\x1f\x8b", "a gzip archive"),
    (b"\x7fELF", "a program"),
    (b"MZ\x90\x00", "a program"),
    (b"SQLite format 3\x00", "an SQLite database"),
    (b"{\\rtf", "an RTF document"),
)
"""What files begin with that are no text, whatever their name."""
_NOT_BELIEVED = re.compile(r"iso8859-1|ascii|utf-(?:7|16|32).*|idna|punycode|.*unicode.escape|undefined")
"""Declarations that cannot be true of a file that could be read as far as there, or that mean another encoding."""
_CONTROLS = bytes(sorted({*range(32), 127} - set(b"\t\n\v\f\r\b\x1b")))
_BINARY_SHARE = 0.05
"""A file in no known encoding with more control characters than that is no text."""


@dataclass(frozen=True)
class Source:
    """A file that is being read."""

    path: Path
    data: bytes

    def unreadable(self, cause: str, hint: str | None = None) -> UnreadableFile:
        """The error that says why it cannot be read."""
        return UnreadableFile(f"{shown(self.path)} {cause}.", hint=hint, status=422, code="unreadable_file")

    @property
    def signature(self) -> str | None:
        """What its first bytes say that it is, where it is no text."""
        return next((name for start, name in _SIGNATURES if self.data.startswith(start)), None)

    def text(self, declared: str | None = None) -> str:
        """Its characters as they stand, without a byte order mark.

        The encoding is that of its byte order mark, else the one that it declares, else UTF-8, else Windows-1252, in
        which every byte is a character. Raises UnreadableFile for what is no text.
        """
        if self.signature:
            raise self.unreadable(f"is no text: it is {self.signature}")
        for mark, encoding in _MARKS:
            if self.data.startswith(mark):
                return self._decoded(self.data[len(mark) :], encoding)
        if b"\0" in self.data:
            raise self.unreadable("is no text: it is a binary file")
        for encoding in (_believed(declared), "utf-8"):
            try:
                return self.data.decode(encoding)
            except (UnicodeError, LookupError):
                continue
        return self._of_windows()

    def _decoded(self, data: bytes, encoding: str) -> str:
        try:
            return data.decode(encoding)
        except UnicodeError as error:
            raise self.unreadable(f"is no {encoding.upper()}, as its byte order mark says: {error}") from None

    def _of_windows(self) -> str:
        """It as Windows-1252; the five bytes that are nothing there are what they are in Latin-1."""
        if sum(self.data.count(control) for control in _CONTROLS) > len(self.data) * _BINARY_SHARE:
            raise self.unreadable("is no text: it is a binary file")
        try:
            return self.data.decode("cp1252")
        except UnicodeDecodeError:
            return "".join(_WINDOWS[byte] for byte in self.data)


def shown(path: Path) -> str:
    """The name of a file as it can be printed."""
    return os.fsencode(path).decode("utf-8", "replace")


def _believed(declared: str | None) -> str:
    """The encoding that a file declares, by its name in Python, or UTF-8."""
    try:
        name = codecs.lookup(declared or "utf-8").name
    except (LookupError, ValueError):
        return "utf-8"
    return "utf-8" if _NOT_BELIEVED.fullmatch(name) else name


def _windows_character(byte: int) -> str:
    try:
        return bytes([byte]).decode("cp1252")
    except UnicodeDecodeError:
        return chr(byte)


_WINDOWS = [_windows_character(byte) for byte in range(256)]
