"""What llamafarm.yaml may say of classes."""

from __future__ import annotations

import pytest
from llamafarm_agents.classifier.options import ClassifierOptions
from pydantic import ValidationError


def test_classes_are_written_as_short_as_they_are():
    options = ClassifierOptions(
        labels={"a": "One.", 2: None, "c": {"description": "Three.", "examples": ["x"], "from": "X"}}
    )
    assert [(label, each.description, each.examples, each.model_label) for label, each in options.classes.items()] == [
        ("a", "One.", [], None),
        ("2", "", [], None),
        ("c", "Three.", ["x"], "X"),
    ]
    assert [*ClassifierOptions(labels=["b", "a"]).classes] == ["b", "a"]


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ({"labels": ["a", "a"]}, "names a class twice"),
        ({"labels": {"a": {"descripton": "x"}}}, "descripton"),
        ({"labels": [""]}, "at least 1 character"),
        ({"threshold": 0}, "greater than 0"),
    ],
)
def test_what_cannot_be_meant_is_an_error(options, problem):
    with pytest.raises(ValidationError, match=problem):
        ClassifierOptions.model_validate(options)


@pytest.mark.parametrize(
    ("method", "labels", "problem"),
    [
        ("decoding", {}, "needs `labels`: two or more"),
        ("embeddings", ["a", "b"], "a description or `examples` of each class; a, b has none"),
        (
            "decoding",
            [str(number) for number in range(63)],
            "tells 62 classes apart, not 63; `embeddings` has no limit",
        ),
        ("decoding", {"a": {"from": "x"}, "b": None}, "`from` names the class of a classification model"),
        ("classify", {}, None),
        ("embeddings", {"a": "x", "b": "y"}, None),
    ],
)
def test_each_method_needs_classes_that_it_can_tell_apart(method, labels, problem):
    said = ClassifierOptions(labels=labels).problem(method)
    assert said is None if problem is None else problem in said
