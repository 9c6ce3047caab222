"""Each contract test of routes fails for a route that breaks its promise, and it alone does."""

from __future__ import annotations

from pathlib import Path

import pytest
from llamafarm_kit.testing.contract import contract_tests
from llamafarm_kit.testing.route_contract import RouteContract

BROKEN = {
    "TestSaysNothing": "test_each_says_in_one_line_what_it_is_for",
    "TestFailsWhereAllIsWell": "test_each_answers_below_both_prefixes",
    "TestFailsForLists": "test_no_body_makes_it_fail",
    "TestRefusesInItsOwnWords": "test_what_it_refuses_is_in_the_envelope_that_clients_read",
    "TestRefusesAsText": "test_what_it_refuses_is_in_the_envelope_that_clients_read",
    "TestReplacesATest": "test_no_contract_test_is_replaced_or_skipped",
}
"""The broken routes of broken_routes.py, each with the one contract test that it fails."""


@pytest.fixture(scope="module")
def outcomes(run_contracts):
    return run_contracts(Path(__file__).with_name("broken_routes.py"))


def test_sound_routes_pass_every_contract_test(outcomes):
    assert outcomes["TestSound"] == dict.fromkeys(contract_tests(RouteContract), "passed")


@pytest.mark.parametrize("route", BROKEN)
def test_a_broken_route_fails_its_contract_test_and_no_other(outcomes, route):
    assert [test for test, outcome in outcomes[route].items() if outcome != "passed"] == [BROKEN[route]]


def test_every_contract_test_has_a_route_that_fails_it(outcomes):
    assert set(BROKEN.values()) == contract_tests(RouteContract).keys()
    assert BROKEN.keys() == outcomes.keys() - {"TestSound"}
