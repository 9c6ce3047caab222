"""Schemas that llamafarm.yaml names."""

from __future__ import annotations

import json

import pytest
from llamafarm.errors import ConfigError
from llamafarm_agents.structured.options import StructuredOptions
from llamafarm_agents.structured.schema_file import read_schema
from pydantic import ValidationError

MODULE = """
from pydantic import BaseModel, field_validator

class Person(BaseModel):
    name: str
    age: float = 7

    @field_validator("name")
    @classmethod
    def _has_no_digits(cls, name: str) -> str:
        if any(map(str.isdigit, name)):
            raise ValueError("names have no digits")
        return name

class Cow: ...
"""


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "person.json").write_text(json.dumps({"title": "Person", "type": "object", "required": ["name"]}))
    (tmp_path / "person.py").write_text(MODULE)
    (tmp_path / "broken.py").write_text("import no_such_module")
    (tmp_path / "broken.json").write_text("{")
    (tmp_path / "list.json").write_text("[]")
    (tmp_path / "wrong.json").write_text('{"type": "objct"}')
    return tmp_path


def options(folder, schema, **more):
    return StructuredOptions.model_validate({"schema": schema, **more}, context={"folder": str(folder)})


def test_a_file_is_found_beside_the_configuration(folder):
    schema = read_schema(options(folder, "person.json").schema_file)
    assert schema.name == "Person"
    assert schema.check("{}").problems


@pytest.mark.parametrize(
    ("schema", "reason"),
    [
        ("missing.json", "No such file"),
        ("broken.json", "is not JSON"),
        ("list.json", "must be an object"),
        ("wrong.json", '"objct" is not valid'),
        ("person.py::Person", "`allow_code: true` lets its module be executed"),
    ],
)
def test_what_is_no_schema_is_refused_when_the_configuration_is_read(folder, schema, reason):
    with pytest.raises(ValidationError, match=reason):
        options(folder, schema)


def test_the_validators_of_a_class_decide(folder):
    schema = read_schema(options(folder, "person.py::Person", allow_code=True).schema_file)
    assert schema.name == "Person"
    assert schema.definition["properties"].keys() == {"name", "age"}
    [problem] = schema.check('{"name": "R2D2"}').problems
    assert problem == "$.name: Value error, names have no digits"


def test_what_a_class_makes_of_an_answer_is_the_answer(folder):
    checked = read_schema(options(folder, "person.py::Person", allow_code=True).schema_file).check('{"name": "Ada"}')
    assert checked.value == json.loads(checked.text) == {"name": "Ada", "age": 7}


def test_a_number_that_no_reader_of_json_takes_is_a_problem(folder):
    schema = read_schema(options(folder, "person.py::Person", allow_code=True).schema_file)
    assert schema.check('{"name": "Ada", "age": 1e999}').problems == (
        "$: Out of range float values are not JSON compliant",
    )


@pytest.mark.parametrize(
    ("schema", "reason"),
    [
        ("person.py::Cow", "no class Cow that is a model of pydantic"),
        ("person.py::Missing", "no class Missing"),
        ("broken.py::Person", "ModuleNotFoundError: No module named 'no_such_module'"),
    ],
)
def test_a_class_that_cannot_be_used_is_an_error_of_the_configuration(folder, schema, reason):
    with pytest.raises(ConfigError, match=reason):
        read_schema(options(folder, schema, allow_code=True).schema_file)
