"""Tags within free text: `structural_tag`, as vLLM and SGLang have it in two forms.

Source: xgrammar's docs of structural tags (`format`), and LegacyStructuralTagResponseFormat of vLLM's protocol.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from llamafarm.errors import RequestError

from llamafarm_universal.messages import Structure
from llamafarm_universal.server.fields import (
    any_text,
    as_list,
    as_object,
    as_object_or_json,
    boolean,
    choice,
    record,
    text,
)
from llamafarm_universal.server.schema import checked_schema

MAX_TAGS = 256
"""Tags, and triggers, of one request."""


def structural_tag(value: Any, path: str) -> Structure:
    """`{"format": …}`, or `{"structures": […], "triggers": […]}`, also in a text. Raises RequestError."""
    fields = as_object_or_json(value, path, "an object in JSON")
    given = {name: item for name, item in fields.items() if name != "type" and item is not None}
    if "format" in given:
        found = record(format=_format)(given, path)["format"]
    else:
        found = record(structures=_structures, triggers=_triggers, at_least_one=boolean)(given, path)
        found["tags"] = _needed(found, "structures", path)
    _check_triggers(found["tags"], _needed(found, "triggers", path), path)
    chosen = {name: found.get(name, False) for name in ("at_least_one", "stop_after_first")}
    return Structure("tags", {"triggers": found["triggers"], "tags": found["tags"], **chosen}, field=path)


def _format(value: Any, path: str) -> dict[str, Any]:
    switches = {"at_least_one": boolean, "stop_after_first": boolean}
    found: dict[str, Any] = record(type=choice("triggered_tags"), triggers=_triggers, tags=_tags, **switches)(
        value, path
    )
    _needed(found, "type", path)
    _needed(found, "tags", path)
    return found


def _tags(value: Any, path: str) -> list[dict[str, Any]]:
    parse = record(type=choice("tag"), begin=text, content=_content, end=_ends)
    items = as_list(value, path, most=MAX_TAGS)
    return [_tag(parse(item, f"{path}[{index}]"), f"{path}[{index}]") for index, item in enumerate(items)]


def _structures(value: Any, path: str) -> list[dict[str, Any]]:
    parse = record(begin=text, schema=_schema, end=_ends)
    items = as_list(value, path, most=MAX_TAGS)
    return [_tag(parse(item, f"{path}[{index}]"), f"{path}[{index}]") for index, item in enumerate(items)]


def _tag(found: Mapping[str, Any], path: str) -> dict[str, Any]:
    schema = found.get("content", found.get("schema", {}))
    return {"begin": _needed(found, "begin", path), "schema": schema, "ends": found.get("end", [""])}


def _content(value: Any, path: str) -> Any:
    found = record(type=choice("json_schema"), json_schema=_schema)(value, path)
    _needed(found, "type", path)
    return found.get("json_schema", {})


def _schema(value: Any, path: str) -> Any:
    return checked_schema(as_object(value, path), path, strict=True)


def _ends(value: Any, path: str) -> list[str]:
    ends = value if isinstance(value, list) else [value]
    return [any_text(item, path) for item in as_list(ends, path, most=MAX_TAGS)]


def _triggers(value: Any, path: str) -> list[str]:
    return [text(item, f"{path}[{index}]") for index, item in enumerate(as_list(value, path, most=MAX_TAGS))]


def _needed(found: Mapping[str, Any], name: str, path: str) -> Any:
    if name not in found:
        raise RequestError(f"'{path}.{name}' is missing.", param=f"{path}.{name}", code="missing_required_parameter")
    return found[name]


def _check_triggers(tags: list[dict[str, Any]], triggers: list[str], path: str) -> None:
    for tag in tags:
        if not tag["begin"].startswith(tuple(triggers)):
            raise RequestError(
                f"{path!r}: none of the triggers begins the tag {tag['begin'][:100]!r}, so that it never could come.",
                param=path,
                code="invalid_value",
            )
