"""Calls, and their results, as texts.

What stands in them is JSON in which no mark can be written: neither one of ours, so that a result cannot end where it
says so, nor one of a model's template, whatever the runtime makes of those.
"""

from __future__ import annotations

import json
import re
from typing import Any

CALL, END_OF_CALL = "<tool_call>", "</tool_call>"
RESULT, END_OF_RESULT = "<tool_result>", "</tool_result>"
_MARKS = re.compile(r"<|\[(?=/?[A-Z_]+\])")


def written_call(name: str, arguments: str) -> str:
    """A call that the model has made. arguments: a JSON text, as the wire has it."""
    try:
        value: Any = json.loads(arguments or "{}")
    except ValueError:
        value = arguments
    return f"{CALL}\n{_json({'name': name, 'arguments': value})}\n{END_OF_CALL}"


def written_result(name: str, content: str) -> str:
    """What a call has given."""
    return f"{RESULT}\n{_json({'name': name, 'content': content})}\n{END_OF_RESULT}"


def _json(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return _MARKS.sub(lambda mark: f"\\u{ord(mark[0]):04x}", text)
