"""The text of a request's body, read more strictly than JSON is: it must be text to a tokenizer."""

from __future__ import annotations

import json
from typing import Any

from llamafarm.wire import BodyError, parse_object


def parse_text(body: bytes) -> dict[str, Any]:
    """Return the JSON object in `body`, as `parse_object` does.

    Raises BodyError also for halves of surrogate pairs: JSON can write them, but they are no text, and no tokenizer
    takes them.
    """
    value = parse_object(body)
    if b"\\ud" in body.lower():
        try:
            json.dumps(value, ensure_ascii=False).encode()
        except UnicodeEncodeError:
            raise BodyError(
                "The body holds half of a surrogate pair (\\ud800 to \\udfff), which is no character."
            ) from None
    return value
