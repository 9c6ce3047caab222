"""JSON Schemas of requests, checked before anything is queued."""

from __future__ import annotations

from typing import Any

from llamafarm.errors import RequestError

from llamafarm_universal.json_schema import SchemaError, UnenforcedKeyword, check


def checked_schema(value: Any, path: str, *, strict: bool) -> Any:
    """A JSON Schema. strict: all of it can be enforced. Raises RequestError, with a pointer to what is wrong."""
    try:
        check(value, strict=strict)
    except UnenforcedKeyword as error:
        raise RequestError(
            f"{path!r} has what no answer can be held to: {error}.",
            hint="Leave it out and check the answer for it; with 'strict': false it stays without effect.",
            param=path,
            code="unsupported_schema",
        ) from error
    except SchemaError as error:
        raise RequestError(
            f"{path!r} is no JSON Schema that can be used: {error}.", param=path, code="invalid_schema"
        ) from error
    return value
