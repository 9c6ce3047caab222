"""Model entries that come with a section, and what a section needs of the rest of the file."""

from __future__ import annotations

import pytest

COW = "name: a, provider: cow, model: m"


def test_a_section_brings_model_entries_like_those_of_the_file(load):
    project = load(f"runtime: {{models: [{{{COW}}}]}}\nmeadows: [{{model: clover}}]")
    assert project.entry("grass").model == "clover"
    assert [entry.name for entry in project.models] == ["a", "grass"]
    assert project.default == "a"


def test_it_is_told_which_entries_there_are(load):
    project = load(f"runtime: {{models: [{{{COW}}}]}}\nmeadows: [{{model: m}}]")
    assert [entry.name for entry in project.models] == ["a"]


def test_an_entry_that_comes_with_a_section_may_be_the_default_by_its_name(load):
    text = f"runtime: {{default_model: grass, models: [{{{COW}}}]}}\nmeadows: [{{model: clover}}]"
    assert load(text).entry().name == "grass"


def test_a_name_that_is_taken_is_a_problem_of_the_section(refused):
    (line,) = refused(f"runtime: {{models: [{{{COW}}}]}}\nmeadows:\n  - {{model: clover, name: a}}")
    assert line == "llamafarm.yaml:3:5: meadows[0]: brings a model 'a', and there is one of that name"


@pytest.mark.parametrize(
    ("meadow", "problem"),
    [
        ("{model: ''}", "meadows[0].model: "),
        ("{model: clover, needs: b}", "meadows[0].needs: There is no model 'b'"),
        ("{model: clover, wrong: true}", "meadows: The section 'meadows' failed: RuntimeError: the fence is open"),
    ],
)
def test_what_is_wrong_is_told_at_its_place(refused, meadow, problem):
    (line,) = refused(f"meadows:\n  - {meadow}")
    assert problem in line


def test_one_whose_provider_is_not_there_is_broken_and_the_others_work(load):
    project = load(f"runtime: {{models: [{{{COW}}}]}}\nmeadows: [{{model: clover, provider: goat}}]")
    assert project.entry("a").model == "m"
    assert "goat" in str(project.named("grass").error)
