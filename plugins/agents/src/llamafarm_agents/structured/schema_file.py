"""Schemas that llamafarm.yaml names: files with a JSON Schema, and classes of pydantic."""

from __future__ import annotations

import importlib.util
import json
from functools import cached_property
from pathlib import Path
from typing import Any

from llamafarm.errors import ConfigError
from pydantic import BaseModel, ValidationError

from llamafarm_agents.structured.schema import Checked, JsonSchema, Schema, name_of, place, shortened

CLASS_MARK = "::"


class ClassSchema:
    """A class of pydantic, whose own validators decide."""

    def __init__(self, model: type[BaseModel]) -> None:
        self._model = model
        self.name = name_of(model.__name__)

    @cached_property
    def definition(self) -> dict[str, Any]:
        """The class as a JSON Schema."""
        return self._model.model_json_schema()

    def check(self, text: str) -> Checked:
        """See `Schema`."""
        try:
            value = self._model.model_validate_json(text).model_dump(mode="json")
            return Checked(value, json.dumps(value, ensure_ascii=False, allow_nan=False))
        except ValidationError as error:
            told = [f"{place(list(each['loc']))}: {each['msg']}" for each in error.errors(include_url=False)]
            return Checked(problems=shortened(told))
        except ValueError as error:  # a number that is too large
            return Checked(problems=(f"$: {error}",))


def split(reference: str) -> tuple[str, str]:
    """`module.py::Class` as (path, name of the class); the name is empty where a file with a schema is meant."""
    path, _, class_name = reference.partition(CLASS_MARK)
    return path, class_name


def check_schema_file(reference: str, *, allow_code: bool) -> None:
    """Raise ValueError for what cannot be read, as far as that is known without executing anything."""
    path, class_name = split(reference)
    if not class_name:
        _read(Path(path))
    elif not allow_code:
        raise ValueError(f"`schema` names the class {class_name}: `allow_code: true` lets its module be executed")
    elif not Path(path).is_file():
        raise ValueError(f"there is no file {path}")


def read_schema(reference: str) -> Schema:
    """The schema that `schema` in llamafarm.yaml names; of a class, its module is executed. Raises ConfigError."""
    path, class_name = split(reference)
    try:
        return ClassSchema(_class(Path(path), class_name)) if class_name else _read(Path(path))
    except Exception as error:
        message = str(error) if isinstance(error, ValueError) else f"{type(error).__name__}: {error}"
        raise ConfigError(
            f"The schema {reference} of the agent handler 'structured' cannot be used: {message}.",
            hint="`schema` in `handlers: {structured: …}` of llamafarm.yaml names it.",
        ) from error


def _read(path: Path) -> JsonSchema:
    try:
        definition = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ValueError(f"{path} cannot be read: {error.strerror or error}") from None
    except ValueError as error:
        raise ValueError(f"{path} is not JSON: {error}") from None
    if not isinstance(definition, dict):
        raise ValueError(f"{path} is not a JSON Schema: it must be an object")
    return JsonSchema(str(definition.get("title") or path.stem), definition)


def _class(path: Path, name: str) -> type[BaseModel]:
    spec = importlib.util.spec_from_file_location(f"llamafarm_schema_{name_of(path.stem)}", path)
    if spec is None or spec.loader is None:
        raise ValueError(f"{path} is no module of Python")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    model = getattr(module, name, None)
    if not (isinstance(model, type) and issubclass(model, BaseModel)):
        raise ValueError(f"{path} has no class {name} that is a model of pydantic")
    return model
