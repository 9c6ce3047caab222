"""The keys by which a chat model names classes: one character each, so that one token decides."""

from __future__ import annotations

import json
import re
import string
from collections.abc import Mapping, Sequence
from typing import Any

ALPHABET = string.ascii_uppercase + string.ascii_lowercase + string.digits
MOST_KEYS = len(ALPHABET)
FIELD = "key"
"""What an answer in JSON calls the key."""
_AROUND = " \t\r\n\"'`*_.,:;()[]{}"


def keyed(labels: Sequence[str]) -> dict[str, str]:
    """Each label under its key; labels that could be keys, such as marks from 1 to 5, are their own."""
    own = all(len(label) == 1 and label in ALPHABET for label in labels)
    return dict(zip(labels if own else ALPHABET, labels, strict=False))


def response_format(keys: Sequence[str]) -> dict[str, Any]:
    """Holds an answer to one of the keys. It is an object: some runtimes take no other schema."""
    schema = {
        "type": "object",
        "properties": {FIELD: {"type": "string", "enum": list(keys)}},
        "required": [FIELD],
        "additionalProperties": False,
    }
    return {"type": "json_schema", "json_schema": {"name": "class", "schema": schema, "strict": True}}


def key_in(text: str, names: Mapping[str, str]) -> str | None:
    """The key that an answer gives; None where it gives none, or it is not sure which.

    names: what each key stands for: models say that, too.
    """
    said = _value(text).strip(_AROUND)
    lead = re.match(r"(\w+)(?:[*`\"']*[).:,\n]| [-–] )", said)  # `B) billing`, `B: because …`
    for answer in (said, lead[1] if lead else said):
        for told in ({key: key for key in names}, names):
            for written in (str, str.casefold):
                fits = [key for key, name in told.items() if written(answer) == written(name).strip(_AROUND) != ""]
                if len(fits) == 1:
                    return fits[0]
    return None


def _value(text: str) -> str:
    """What stands in the field of an answer in JSON; else the whole answer."""
    try:
        answer = json.loads(text)
    except ValueError:
        return text
    return str(answer[FIELD]) if isinstance(answer, dict) and FIELD in answer else text
