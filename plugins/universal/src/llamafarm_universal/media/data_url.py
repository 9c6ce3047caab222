"""Pictures and sounds that stand in a request's JSON: `data:image/png;base64,…`, or base64 alone."""

from __future__ import annotations

import binascii
import re
from collections.abc import Iterator

from llamafarm_universal.failure import RequestFailed, refused
from llamafarm_universal.media.folder import BlobWriter, SpoolFolder
from llamafarm_universal.media.formats import UNKNOWN_TYPE, format_of
from llamafarm_universal.messages import Blob

PIECE = 2**18
"""Characters that are decoded at once: so few that other threads are not held up."""
_HEAD = re.compile(r"data:([^,]{0,200}),", re.IGNORECASE)
_BLANKS = " \t\n\r\f"


def is_data_url(url: str) -> bool:
    return url[:5].lower() == "data:"


def decode_data_url(url: str, folder: SpoolFolder, limit: int, *, param: str | None = None) -> Blob:
    """The bytes that a data URL holds (RFC 2397), of the type that they have by their content.

    limit: bytes at most. Blocks, so it is called in a thread. Raises RequestFailed for what is no base64, empty, or too
    large; `param` is the request's field that it names.
    """
    head = _HEAD.match(url)
    if head is None:
        raise refused("A data URL must be `data:TYPE;base64,` and the data.", param)
    if not head[1].lower().replace(" ", "").endswith(";base64"):
        raise refused("A data URL must hold base64.", param, hint="Write it as `data:image/png;base64,…`.")
    return decode_base64(url[head.end() :], folder, limit, param=param)


def decode_base64(text: str, folder: SpoolFolder, limit: int, *, param: str | None = None) -> Blob:
    """The bytes of a base64 text, as `decode_data_url` has them. Blanks and missing `=` at the end do not matter."""
    with BlobWriter(folder) as writer:
        last = ""
        for piece in _pieces(text):
            if piece and last.endswith("="):
                raise _no_base64(param)
            last = piece
            writer.write(_decoded(piece, param))
            if writer.size > limit:
                message = f"The data is larger than {limit:,} bytes."
                raise RequestFailed("too_large", message, hint="Send a smaller file.", param=param)
        if not writer.size:
            raise refused("The data is empty.", param)
        found = format_of(writer.head)
        return writer.finish(found.media_type if found else UNKNOWN_TYPE)


def _pieces(text: str) -> Iterator[str]:
    """The text without blanks, in pieces that each stand for whole bytes."""
    left = ""
    for start in range(0, len(text), PIECE):
        piece = left + _without_blanks(text[start : start + PIECE])
        whole = len(piece) & ~3
        left = piece[whole:]
        yield piece[:whole]
    yield left + "=" * (-len(left) % 4)


def _without_blanks(text: str) -> str:
    for blank in _BLANKS:
        if blank in text:
            text = text.replace(blank, "")
    return text


def _decoded(piece: str, param: str | None) -> bytes:
    try:
        return binascii.a2b_base64(piece, strict_mode=True)
    except (binascii.Error, ValueError):
        raise _no_base64(param) from None


def _no_base64(param: str | None) -> RequestFailed:
    return refused("The data is not base64.", param)
