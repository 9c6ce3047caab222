"""The body of a request: read more strictly than JSON is, since it must be text to a tokenizer, and by its table."""

from __future__ import annotations

import json
import threading
from contextlib import nullcontext
from typing import Any

from llamafarm.wire import BodyError, parse_object

from llamafarm_universal.server.fields import Parsed, Table, parse

LARGE_BYTES = 64 * 1024
_large = threading.Lock()


def parse_fields(body: bytes, table: Table) -> Parsed:
    """Return the fields of the JSON object in `body`, read by `table`.

    Large bodies are read one after the other, so that the event loop shares its time with one of them, however many
    there are. Raises BodyError as `parse_text` does, and RequestError as `parse` does.
    """
    with _large if len(body) >= LARGE_BYTES else nullcontext():
        return parse(parse_text(body), table)


def parse_text(body: bytes) -> dict[str, Any]:
    """Return the JSON object in `body`, as `parse_object` does.

    Raises BodyError also for halves of surrogate pairs: JSON can write them, but they are no text, and no tokenizer
    takes them.
    """
    value = parse_object(body)
    if _may_hold_halves(body):
        try:
            json.dumps(value, ensure_ascii=False).encode()
        except UnicodeEncodeError:
            raise BodyError(
                "The body holds half of a surrogate pair (\\ud800 to \\udfff), which is no character."
            ) from None
    return value


def _may_hold_halves(body: bytes) -> bool:
    """Whether halves of pairs could be in it: as escapes, as the three bytes that UTF-8 refuses, or as UTF-16."""
    escaped = b"\\" in body and (b"\\ud" in body or b"\\uD" in body)  # one byte is found far sooner than three
    return escaped or b"\xed" in body or json.detect_encoding(body) != "utf-8"
