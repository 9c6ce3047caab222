"""Each contract test of agent handlers fails for a handler that breaks its promise, and it alone does."""

from __future__ import annotations

from pathlib import Path

import pytest
from llamafarm_kit.testing.contract import contract_tests
from llamafarm_kit.testing.handler_contract import AgentHandlerContract

SOUND = ["TestSound", "TestHasALife"]
BROKEN = {
    "TestEncodesTheFramesAgain": "test_what_it_does_not_change_is_passed_on_byte_for_byte",
    "TestSaysThatItChangesWhatItDoesNot": "test_what_it_does_not_change_is_passed_on_byte_for_byte",
    "TestGivesTheAnswerAnIdOfItsOwn": "test_a_whole_answer_keeps_what_it_does_not_change",
    "TestChangesWholeAnswersOnly": "test_streamed_and_whole_answers_agree",
    "TestEndsTwice": "test_a_stream_ends_with_one_done",
    "TestReadsTheAnswerTwice": "test_an_answer_of_the_model_is_read_once",
    "TestLosesTheHeaders": "test_headers_for_the_client_are_passed_on",
    "TestChangesTheRequestOfOthers": "test_the_turn_is_left_as_it_was",
    "TestForgetsTheDeadline": "test_what_it_asks_keeps_the_request_id_and_the_deadline",
    "TestDoesNotCloseWhatNobodyReads": "test_closing_its_reply_closes_all_that_it_asked_for",
    "TestDoesNotCloseWhatIsBrokenOff": "test_a_reader_that_goes_away_leaves_nothing_open",
    "TestLeavesATaskBehind": "test_a_reader_that_goes_away_leaves_nothing_open",
    "TestIsNotCancelled": "test_being_cancelled_while_the_model_is_silent_leaves_nothing_open",
    "TestRephrasesErrors": "test_a_providers_error_reaches_the_caller_unchanged",
    "TestEndsWellWhateverHappens": "test_an_error_in_the_middle_of_an_answer_reaches_the_reader",
    "TestForgetsWhatHasFailed": "test_whatever_fails_leaves_nothing_open",
    "TestMixesTurns": "test_several_turns_at_once_do_not_mix",
    "TestOpensWhenItIsBuilt": "test_building_it_opens_nothing",
    "TestForgetsItsFile": "test_closing_it_leaves_nothing_open",
    "TestForgetsItsTask": "test_closing_it_leaves_nothing_open",
    "TestClosesWhatATurnHasOpened": "test_it_may_be_closed_before_its_first_turn",
    "TestSharesItsFile": "test_closing_it_leaves_that_of_another_entry_at_work",
    "TestKeepsNotesInTheSession": "test_a_session_keeps_what_the_user_wrote_and_what_the_user_got",
    "TestAnswersOtherwiseInASession": "test_a_first_turn_is_answered_alike_with_and_without_a_session",
    "TestForgetsFieldsOfOthers": "test_the_other_fields_of_a_request_reach_the_model",
    "TestSendsAFieldOfItsOwn": "test_its_request_fields_are_taken_out_before_the_model_sees_them",
    "TestTakesAnyValue": "test_its_request_fields_refuse_a_wrong_value",
    "TestTakesAFieldOfTheWire": "test_its_request_fields_are_not_the_wires",
    "TestHasADefaultThatIsRefused": "test_its_options_and_their_defaults_are_valid",
    "TestIgnoresUnknownOptions": "test_an_unknown_option_is_refused",
    "TestIgnoresUnknownOptionsFurtherDown": "test_an_unknown_option_is_refused",
    "TestHasABrokenSchema": "test_its_options_and_fields_have_a_valid_json_schema",
    "TestReplacesAContractTest": "test_no_contract_test_is_replaced_or_skipped",
}
"""The broken handlers of broken_handlers.py, each with the one contract test that it fails."""


@pytest.fixture(scope="module")
def outcomes(run_contracts):
    return run_contracts(Path(__file__).with_name("broken_handlers.py"))


@pytest.mark.parametrize("handler", SOUND)
def test_a_sound_handler_passes_every_contract_test(outcomes, handler):
    assert outcomes[handler] == dict.fromkeys(contract_tests(AgentHandlerContract), "passed")


@pytest.mark.parametrize("handler", BROKEN)
def test_a_broken_handler_fails_its_contract_test_and_no_other(outcomes, handler):
    assert [test for test, outcome in outcomes[handler].items() if outcome != "passed"] == [BROKEN[handler]]


def test_every_contract_test_has_a_handler_that_fails_it(outcomes):
    assert set(BROKEN.values()) == contract_tests(AgentHandlerContract).keys()
    assert BROKEN.keys() == outcomes.keys() - {*SOUND}
