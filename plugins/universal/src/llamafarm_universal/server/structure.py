"""What answers are to be held to: `response_format`, `structured_outputs` of vLLM, and `tool_choice`.

Source: OpenAI's API reference, and vllm/sampling_params.py (StructuredOutputsParams) of vLLM 0.26.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NoReturn

from llamafarm.errors import RequestError

from llamafarm_universal.messages import Structure, ToolChoice
from llamafarm_universal.server.fields import (
    Parsed,
    Parser,
    any_text,
    as_list,
    as_object,
    as_object_or_json,
    boolean,
    choice,
    record,
    text,
    wrong,
)
from llamafarm_universal.server.prompts import MAX_TOOLS
from llamafarm_universal.server.schema import checked_schema
from llamafarm_universal.server.structural_tag import structural_tag

MAX_PATTERN = 10_000
MAX_GRAMMAR = 100_000
MAX_OPTIONS = 10_000
"""Characters of a regex and of a grammar, and texts of a choice: more than any that was meant, and quickly compiled."""
ANY_OBJECT: Mapping[str, Any] = {"type": "object"}


def response_format(value: Any, path: str) -> Structure | None:
    """OpenAI's: `text`, `json_object`, `json_schema` with its schema; vLLM's `structural_tag`. Raises RequestError."""
    given = {name: item for name, item in as_object(value, path).items() if item is not None}
    kind = choice("text", "json_object", "json_schema", "structural_tag")(given.get("type"), f"{path}.type")
    if kind == "structural_tag":
        return structural_tag(given, path)
    if kind == "json_schema":
        record(type=text, json_schema=as_object)(given, path)
        return _json_schema(given.get("json_schema"), f"{path}.json_schema")
    record(type=text)(given, path)
    return Structure("json", ANY_OBJECT, field=path) if kind == "json_object" else None


def structured_outputs(value: Any, path: str) -> Structure | None:
    """vLLM's: one of `json`, `json_object`, `regex`, `choice`, `grammar` and `structural_tag`. Raises RequestError."""
    given = {name: item for name, item in record(**_OUTPUTS)(value, path).items() if item is not None}
    if len(given) > 1:
        raise RequestError(f"{path!r} asks for {' and '.join(given)}: give one.", param=path, code="invalid_value")
    return next(iter(given.values()), None)


def tool_choice(value: Any, path: str) -> str | Mapping[str, Any]:
    """`auto`, `none`, `required`, a function by its name, or `allowed_tools`. Raises RequestError."""
    if isinstance(value, str):
        return str(choice("auto", "none", "required")(value, path))
    given = as_object(value, path)
    kind = choice("function", "allowed_tools")(given.get("type"), f"{path}.type")
    if kind == "function":
        function = record(name=text)(given.get("function"), f"{path}.function")
        return {"required": True, "names": (text(function.get("name"), f"{path}.function.name"),)}
    allowed = record(mode=choice("auto", "required"), tools=_allowed)(given.get(kind), f"{path}.{kind}")
    if "tools" not in allowed:
        wrong(f"{path}.{kind}.tools", "a list of tools", None)
    return {"required": allowed.get("mode") == "required", "names": allowed["tools"]}


def structure_of(parsed: Parsed) -> Structure | None:
    """What the answer must be where it is no call. Raises RequestError where two fields ask for two things."""
    asked = [parsed.get(name) for name in ("response_format", "structured_outputs")]
    if all(asked):
        raise RequestError(
            "'response_format' and 'structured_outputs' both say what the answer must be: give one.",
            param="structured_outputs",
            code="invalid_value",
        )
    found: Structure | None = next(filter(None, asked), None)
    return found


def tool_choice_of(parsed: Parsed) -> ToolChoice:
    """Which tools may be called. Raises RequestError where a choice names tools that are not there."""
    tools, chosen = parsed.get("tools", ()), parsed.get("tool_choice", "auto")
    names = [tool["function"]["name"] for tool in tools]
    strict = tuple(name for name, tool in zip(names, tools, strict=True) if tool["function"].get("strict"))
    if isinstance(chosen, str):
        chosen = {"required": chosen == "required", "names": ()}
    if chosen["required"] and not tools:
        raise RequestError("'tool_choice' asks for a call, and there are no 'tools'.", param="tool_choice")
    if missing := [name for name in chosen["names"] if name not in names]:
        raise RequestError(
            f"'tool_choice' names {missing[0]!r}, which is none of the tools.",
            hint=f"There is {', '.join(map(repr, names[:8]))}." if names else None,
            param="tool_choice",
            code="invalid_value",
        )
    return ToolChoice(strict=strict, **chosen)


def _json_schema(value: Any, path: str) -> Structure:
    given = record(name=text, description=any_text, schema=as_object, strict=boolean)(value, path)
    text(given.get("name"), f"{path}.name")
    strict = given.get("strict", True)
    schema = checked_schema(given.get("schema", {}), f"{path}.schema", strict=strict)
    return Structure("json", schema, strict, f"{path}.schema")


def _json(value: Any, path: str) -> Structure:
    """A schema, or a text that holds one."""
    schema = as_object_or_json(value, path, "a JSON Schema")
    return Structure("json", checked_schema(schema, path, strict=True), field=path)


def _json_object(value: Any, path: str) -> Structure | None:
    return Structure("json", ANY_OBJECT, field=path) if boolean(value, path) else None


def _regex(value: Any, path: str) -> Structure:
    return Structure("regex", _limited(value, path, MAX_PATTERN), field=path)


def _grammar(value: Any, path: str) -> Structure:
    return Structure("grammar", _limited(value, path, MAX_GRAMMAR), field=path)


def _options(value: Any, path: str) -> Structure:
    options = tuple(text(item, f"{path}[{i}]") for i, item in enumerate(as_list(value, path, most=MAX_OPTIONS)))
    return Structure("choice", options, field=path)


def _limited(value: Any, path: str, most: int) -> str:
    if len(text(value, path)) > most:
        wrong(path, f"a text of at most {most:,} characters", value)
    return str(value)


def _unsupported(_value: Any, path: str) -> NoReturn:
    raise RequestError(
        f"{path!r} is not supported here.",
        hint=f"There is {', '.join(name for name, parse in _OUTPUTS.items() if parse is not _unsupported)}.",
        param=path,
        code="unsupported_parameter",
    )


def _allowed(value: Any, path: str) -> tuple[str, ...]:
    """The names of some of the tools."""
    functions = [
        (as_object(tool, f"{path}[{i}]").get("function"), f"{path}[{i}].function")
        for i, tool in enumerate(as_list(value, path, most=MAX_TOOLS))
    ]
    return tuple(text(as_object(function, at).get("name"), f"{at}.name") for function, at in functions)


_OUTPUTS: Mapping[str, Parser] = {
    "json": _json,
    "json_object": _json_object,
    "regex": _regex,
    "choice": _options,
    "grammar": _grammar,
    "structural_tag": structural_tag,
    "whitespace_pattern": _unsupported,
    "disable_any_whitespace": _unsupported,
    "disable_additional_properties": _unsupported,
}
