"""A form that carries files, read piece by piece: texts stay in memory, files go to the spool as they come."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

from llamafarm_universal.failure import RequestFailed, refused
from llamafarm_universal.media.folder import BlobWriter, SpoolFolder
from llamafarm_universal.media.formats import UNKNOWN_TYPE, Kind, format_of
from llamafarm_universal.media.settings import MediaSettings, variable_of
from llamafarm_universal.messages import Blob


@dataclass(frozen=True)
class FormLimits:
    """file_bytes: of each file. variable: with which the operator raises that. text_bytes: of all texts together."""

    file_bytes: int
    variable: str | None = None
    files: int = 16
    texts: int = 100
    text_bytes: int = 2**20

    @classmethod
    def of(cls, kind: Kind, settings: MediaSettings, *, files: int = 1) -> FormLimits:
        """Those of an operation that takes so many files of a kind."""
        return cls(settings.file_bytes(kind), variable_of(kind), files)

    @property
    def body_bytes(self) -> int:
        """What the whole form may have; its boundaries and heads count as texts."""
        return self.file_bytes * self.files + self.text_bytes * 2

    @property
    def hint(self) -> str:
        """What to do about a file that is too large."""
        raised = f", or have the operator of the server raise {self.variable}" if self.variable else ""
        return f"Send a smaller one{raised}."


@dataclass(frozen=True)
class UploadedFile:
    """A file of a form. name: the client's, of which nothing is believed. blob: of the type that its content has."""

    name: str
    blob: Blob


Part = str | UploadedFile


class SpooledForm:
    """Reads the pieces of a form. Blocks, so it is called in a thread; the folder's owner removes what it has written.

    boundary: as the header Content-Type has it. Everything raises RequestFailed for a form that is none, or too large.
    """

    def __init__(self, boundary: bytes, folder: SpoolFolder, limits: FormLimits) -> None:
        self._folder = folder
        self._limits = limits
        self._parts: list[tuple[str, Part]] = []
        self._files = self._text_bytes = 0
        self._header: tuple[bytes, bytes] = (b"", b"")
        self._disposition = b""
        self._name = ""
        self._text: bytearray | None = None
        self._file: tuple[str, BlobWriter] | None = None
        self._ended = False
        try:
            self._parser = MultipartParser(
                boundary,
                {
                    "on_part_begin": self._begin_part,
                    "on_header_field": self._add_header_name,
                    "on_header_value": self._add_header_value,
                    "on_header_end": self._end_header,
                    "on_headers_finished": self._open_part,
                    "on_part_data": self._add_data,
                    "on_part_end": self._end_part,
                    "on_end": self._end,
                },
            )
        except FormParserError as error:
            raise _no_form(str(error)) from None

    def feed(self, piece: bytes) -> None:
        """Take the next piece of the body."""
        try:
            self._parser.write(piece)
        except FormParserError as error:
            raise _no_form(str(error)) from None

    def finish(self) -> list[tuple[str, Part]]:
        """The parts, in their order, once the body has ended."""
        if not self._ended:
            raise _no_form("It breaks off: its last boundary is missing.")
        return self._parts

    def close(self) -> None:
        """Close what is open, whyever the form has ended."""
        if self._file is not None:
            self._file[1].close()

    def _begin_part(self) -> None:
        self._disposition = b""
        self._header = (b"", b"")

    def _add_header_name(self, data: bytes, start: int, end: int) -> None:
        self._header = (self._header[0] + data[start:end], self._header[1])

    def _add_header_value(self, data: bytes, start: int, end: int) -> None:
        self._header = (self._header[0], self._header[1] + data[start:end])

    def _end_header(self) -> None:
        name, value = self._header
        if name.lower() == b"content-disposition":
            self._disposition = value
        self._header = (b"", b"")

    def _open_part(self) -> None:
        """A part with a file name is a file, as every reader of forms has it (RFC 7578)."""
        _, options = parse_options_header(self._disposition)
        self._name = _text_of(options.get(b"name", b""))
        if not self._name:
            raise _no_form("A part has no name.")
        if b"filename" not in options:
            self._text = bytearray()
            return
        self._files += 1
        if self._files > self._limits.files:
            raise refused(f"The form holds more than {self._limits.files} files.", self._name)
        self._file = _text_of(options[b"filename"]) or "file", BlobWriter(self._folder)

    def _add_data(self, data: bytes, start: int, end: int) -> None:
        if self._file is not None:
            self._add_to_file(self._file[1], data[start:end])
            return
        assert self._text is not None
        self._text_bytes += end - start
        if self._text_bytes > self._limits.text_bytes:
            raise RequestFailed("too_large", f"The form's texts are longer than {self._limits.text_bytes:,} bytes.")
        self._text += data[start:end]

    def _add_to_file(self, writer: BlobWriter, piece: bytes) -> None:
        limit = self._limits.file_bytes
        if writer.size + len(piece) > limit:
            message = f"The file `{self._name}` is larger than {limit:,} bytes."
            raise RequestFailed("too_large", message, hint=self._limits.hint, param=self._name)
        writer.write(piece)

    def _end_part(self) -> None:
        if self._file is not None:
            name, writer = self._file
            found = format_of(writer.head)
            part: Part = UploadedFile(name, writer.finish(found.media_type if found else UNKNOWN_TYPE))
        else:
            part = _text_of(bytes(self._text or b""))
        self._parts.append((self._name, part))
        if len(self._parts) > self._limits.files + self._limits.texts:
            raise _no_form(f"It has more than {self._limits.texts} texts.")
        self._text = self._file = None

    def _end(self) -> None:
        self._ended = True


def boundary_of(headers: Mapping[str, str]) -> bytes:
    """The boundary that a form's Content-Type names. Raises RequestFailed."""
    _, options = parse_options_header(headers.get("content-type"))
    if not (boundary := options.get(b"boundary")):
        raise _no_form("Its type names no boundary.")
    return boundary


def _text_of(value: bytes) -> str:
    try:
        return value.decode()
    except UnicodeDecodeError:
        raise _no_form("A text of it is not UTF-8.") from None


def _no_form(reason: str) -> RequestFailed:
    return refused(f"The body is not a form: {reason}")
