"""What contracts ask of pydantic models: a valid JSON Schema, no room for unknown keys, values that come back alike."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from jsonschema import Draft202012Validator
from jsonschema.exceptions import SchemaError
from pydantic import BaseModel, TypeAdapter, ValidationError

from llamafarm_kit.testing.examples import examples

Problems = Iterator[str]


def schema_problems(what: str, kind: Any) -> Problems:
    """Why `kind`, a model or any type, has no valid JSON Schema (draft 2020-12)."""
    try:
        Draft202012Validator.check_schema(TypeAdapter(kind).json_schema())
    except SchemaError as error:
        yield f"{what}: its JSON Schema is not valid at {error.json_path}: {error.message}"
    except Exception as error:  # noqa: BLE001 - pydantic, or a plugin's own code, says what cannot be described
        yield f"{what} has no JSON Schema: {type(error).__name__}: {error}"


def open_problems(what: str, model: type[BaseModel]) -> Problems:
    """The models in `model`, itself and those inside it, that accept keys which they do not have."""
    schema = model.model_json_schema()
    for name, part in {model.__name__: schema, **schema.get("$defs", {})}.items():
        if "properties" in part and part.get("additionalProperties") is not False:
            yield f'{what}: {name} accepts unknown keys; give it model_config = ConfigDict(extra="forbid")'


def default_problems(what: str, model: type[BaseModel], given: Mapping[str, Any]) -> Problems:
    """The defaults of `model` that it would not accept from a user. given: values for what has no default."""
    shown = model.model_validate(dict(given)).model_dump(mode="json")
    try:
        model.model_validate(shown)
    except ValidationError as error:
        yield from (f"{what}: {_told(one)}" for one in error.errors(include_url=False))


def round_trip_problems(what: str, model: type[BaseModel]) -> Problems:
    """What of `model` does not come back from JSON as it was, for each example of its schema."""
    for value in examples(model.model_json_schema()):
        try:
            first = model.model_validate(value)
        except ValidationError as error:
            told = "; ".join(_told(one) for one in error.errors(include_url=False))
            yield f"{what}: a value that its schema allows is refused: {told}. Show one with Field(examples=[...])."
            continue
        yield from _back(what, model, first)


def _back(what: str, model: type[BaseModel], first: BaseModel) -> Problems:
    shown = first.model_dump(mode="json")
    try:
        again = model.model_validate(shown)
    except ValidationError as error:
        told = "; ".join(_told(one) for one in error.errors(include_url=False))
        yield f"{what}: what it writes, it does not read: {told}"
        return
    changed = [name for name in model.model_fields if getattr(first, name) != getattr(again, name)]
    yield from (
        f"{what}: `{name}` comes back as {getattr(again, name)!r}, not {getattr(first, name)!r}" for name in changed
    )


def _told(problem: Any) -> str:
    return f"{'.'.join(map(str, problem['loc']))}: {problem['msg']} (found {problem['input']!r})"
