"""Each contract test of tool sources fails for a source that breaks its promise, and it alone does."""

from __future__ import annotations

from pathlib import Path

import pytest
from llamafarm_kit.testing.contract import contract_tests
from llamafarm_kit.testing.tool_source_contract import ToolSourceContract

BROKEN = {
    "TestDeclaresNothing": "test_it_declares_its_sources_where_a_project_has_some",
    "TestOpensAtOnce": "test_making_one_opens_nothing",
    "TestListsTwice": "test_its_tools_have_names_and_schemas",
    "TestFailsWhenBusy": "test_each_call_gives_its_own_result",
    "TestKnowsEveryTool": "test_a_tool_that_is_not_there_is_a_result_that_says_so",
    "TestCallsOn": "test_a_call_that_is_cancelled_leaves_nothing_and_the_next_is_answered",
    "TestStaysOpen": "test_closing_it_leaves_nothing_open",
    "TestSaysNothingOfItself": "test_one_that_is_not_there_is_an_error_for_the_reader",
    "TestReplacesATest": "test_no_contract_test_is_replaced_or_skipped",
}
"""The broken sources of broken_tool_sources.py, each with the one contract test that it fails."""


@pytest.fixture(scope="module")
def outcomes(run_contracts):
    return run_contracts(Path(__file__).with_name("broken_tool_sources.py"))


def test_a_sound_source_passes_every_contract_test(outcomes):
    assert outcomes["TestSound"] == dict.fromkeys(contract_tests(ToolSourceContract), "passed")


@pytest.mark.parametrize("source", BROKEN)
def test_a_broken_source_fails_its_contract_test_and_no_other(outcomes, source):
    assert [test for test, outcome in outcomes[source].items() if outcome != "passed"] == [BROKEN[source]]


def test_every_contract_test_has_a_source_that_fails_it(outcomes):
    assert set(BROKEN.values()) == contract_tests(ToolSourceContract).keys()
    assert BROKEN.keys() == outcomes.keys() - {"TestSound"}
