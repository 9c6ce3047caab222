"""What is wrong with an answer, and where."""

from __future__ import annotations

import json

import pytest
from llamafarm_agents.structured.schema import MAX_PROBLEMS, JsonSchema

PERSON = {
    "type": "object",
    "properties": {
        "name": {"type": "string", "pattern": "^[A-Z]"},
        "age": {"type": "integer", "minimum": 0},
        "born": {"type": "string", "format": "date"},
        "friends": {"type": "array", "items": {"$ref": "#/properties/name"}},
    },
    "required": ["name"],
    "additionalProperties": False,
}


def test_what_fits_is_the_object_and_its_text():
    checked = JsonSchema("person", PERSON).check('{"name": "Ada", "age": 36}')
    assert (checked.value, checked.text, checked.problems) == (
        {"name": "Ada", "age": 36},
        '{"name": "Ada", "age": 36}',
        (),
    )


@pytest.mark.parametrize(
    ("text", "where", "what"),
    [
        ("", "$", "cannot be read as JSON"),
        ('{"name": "Ada"', "$", "cannot be read as JSON"),
        ('{"name": "Ada", "age": NaN}', "$", "NaN is no number of JSON"),
        ('{"name": "Ada", "age": -1e999}', "$", "the number -1e999 is too large"),
        (f'{{"name": "Ada", "age": {"9" * 5000}}}', "$", "5000 digits"),
        ("[" * 100_000, "$", "recursion"),
        (f"{'[' * 300}{']' * 300}", "$", "Recursion"),
        ("[]", "$", 'is not of type "object"'),
        ("{}", "$", '"name" is a required property'),
        ('{"name": "Ada", "cows": 2}', "$", "'cows' was unexpected"),
        ('{"name": "ada"}', "$.name", "does not match"),
        ('{"name": "Ada", "age": "x"}', "$.age", 'is not of type "integer"'),
        ('{"name": "Ada", "age": -1}', "$.age", "less than the minimum"),
        ('{"name": "Ada", "born": "yesterday"}', "$.born", 'is not a "date"'),
        ('{"name": "Ada", "friends": ["Bob", 1]}', "$.friends[1]", 'is not of type "string"'),
    ],
)
def test_a_problem_is_told_with_its_place(text, where, what):
    checked = JsonSchema("person", PERSON).check(text)
    [problem] = checked.problems
    assert problem.startswith(f"{where}: ")
    assert what in problem
    assert checked.value is None


def test_of_many_problems_the_first_are_told_and_how_many_more_there_are():
    schema = JsonSchema("numbers", {"type": "array", "items": {"type": "integer"}})
    problems = schema.check(json.dumps(["x"] * (MAX_PROBLEMS + 5))).problems
    assert len(problems) == MAX_PROBLEMS + 1
    assert problems[-1] == "and 5 more"


@pytest.mark.parametrize(
    "definition",
    [
        {"type": "objct"},
        {"$ref": "http://127.0.0.1:9/schema.json"},
        {"$ref": "file:///etc/passwd"},
        {"$ref": "#/nowhere"},
        {"pattern": "("},
        {"pattern": "(?=x)"},
    ],
    ids=str,
)
def test_what_is_no_schema_is_refused(definition):
    with pytest.raises(ValueError, match=r"."):
        JsonSchema("wrong", definition)


def test_no_pattern_of_a_request_holds_the_process_up():
    """By backtracking this one takes longer than the universe has existed; the test ends where it does not."""
    schema = JsonSchema("slow", {"type": "string", "pattern": "^(a+)+$"})
    assert schema.check(json.dumps("a" * 5000 + "!")).problems


@pytest.mark.parametrize(
    ("title", "name"), [("Person", "Person"), ("Ein Mädchen!", "Ein_M_dchen"), ("日本", "answer"), ("x" * 90, "x" * 64)]
)
def test_its_name_is_one_that_functions_may_have(title, name):
    assert JsonSchema(title, {}).name == name
