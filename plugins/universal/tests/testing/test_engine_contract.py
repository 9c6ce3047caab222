"""Each contract test of engines fails for an engine that breaks its promise, and it alone does."""

from __future__ import annotations

from pathlib import Path

import pytest
from llamafarm_kit.testing.contract import contract_tests
from llamafarm_kit.testing.outcomes import BOUND, outcomes_of
from llamafarm_universal.testing import EngineContract

HERE = Path(__file__).parent
SOUND = ["Sound", "EndsInSubmit"]
BROKEN = {
    "ImportsWhenItIsImported": "test_importing_it_brings_nothing_heavy",
    "ImportsWhenItFits": "test_fitting_brings_nothing_heavy",
    "PromisesMoreThanItDoes": "test_what_its_files_tell_before_is_what_it_does",
    "FitsAnotherTask": "test_fit_says_what_the_model_does_and_weighs",
    "WritesWhenItFits": "test_fit_changes_nothing",
    "ChangesTheConfiguration": "test_fit_changes_nothing",
    "FitsEverything": "test_fit_leaves_a_foreign_model_alone",
    "FailsOnWhatItDoesNotKnow": "test_fit_leaves_a_foreign_model_alone",
    "WeighsTooLittle": "test_fit_weighs_what_is_loaded",
    "HasLooseWorks": "test_its_works_can_be_sent_and_stay_what_they_are",
    "ReadsAnotherOperation": "test_a_request_becomes_a_work_of_its_operation",
    "TakesFieldsOut": "test_a_request_becomes_a_work_of_its_operation",
    "TakesAnyField": "test_an_unknown_field_of_a_request_is_refused",
    "TrustsRequests": "test_whatever_a_request_says_it_is_done_or_refused",
    "AnswersWithASecret": "test_the_values_of_its_own_operations_are_said_in_json",
    "TellsAnotherFormat": "test_it_tells_what_it_has_loaded",
    "TellsMoreOperations": "test_it_tells_the_operations_that_it_can_do",
    "EndsAnAnswerTwice": "test_a_work_ends_with_each_of_its_answers_once",
    "SaysMoreAfterTheEnd": "test_nothing_follows_an_end",
    "TellsOfAnAnswerThatNobodyAsked": "test_what_it_tells_belongs_to_the_request",
    "TellsOfSomebodyElse": "test_what_it_tells_belongs_to_the_request",
    "AcceptsLate": "test_a_work_is_accepted_before_anything_else_is_told",
    "AcceptsForAnotherModel": "test_a_work_is_accepted_before_anything_else_is_told",
    "SaysThatNothingRemains": "test_step_says_whether_more_remains",
    "AnswersWithNumbersOfALibrary": "test_what_it_tells_is_read_without_its_libraries",
    "AnswersAtLength": "test_what_it_tells_is_small",
    "PreparesInOnePlace": "test_works_are_prepared_in_several_threads_at_once",
    "MixesAnswers": "test_works_at_once_are_answered_as_alone",
    "TakesOneAfterTheOther": "test_a_long_work_does_not_hold_up_a_short_one",
    "DoesAllInOneStep": "test_a_step_is_a_bounded_piece_of_work",
    "TellsThatItWasCancelled": "test_a_cancelled_work_is_told_no_more_while_others_go_on",
    "GoesOnInSilence": "test_a_cancelled_work_takes_no_more_steps",
    "KnowsOnlyWhatItKnows": "test_cancelling_what_is_unknown_changes_nothing",
    "SaysNothingAtAll": "test_a_wrong_work_is_refused",
    "KeepsWhatItRefuses": "test_a_refused_work_leaves_no_trace",
    "FailsTogether": "test_what_fails_in_a_step_ends_its_own_request_alone",
    "RaisesInStep": "test_what_fails_in_a_step_ends_its_own_request_alone",
    "KeepsItsMemory": "test_close_lets_go_of_the_weights",
    "TellsThatItWasClosed": "test_closing_it_ends_what_is_under_way",
    "ReplacesAContractTest": "test_no_contract_test_is_replaced_or_skipped",
}
"""The engines of broken_engines.py, each with the one contract test that it fails."""

pytestmark = pytest.mark.timeout(BOUND + 100)  # the first test waits for the run that all of them look at


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory):
    told = outcomes_of(HERE / "broken_engine_contracts.py", tmp_path_factory.mktemp("contracts"), HERE)
    return {home.removeprefix("Test"): tests for home, tests in told.items()}


@pytest.mark.parametrize("engine", SOUND)
def test_a_sound_engine_passes_every_contract_test(outcomes, engine):
    assert outcomes[engine] == dict.fromkeys(contract_tests(EngineContract), "passed")


@pytest.mark.parametrize("engine", BROKEN)
def test_a_broken_engine_fails_its_contract_test_and_no_other(outcomes, engine):
    assert [test for test, outcome in outcomes[engine].items() if outcome != "passed"] == [BROKEN[engine]]


def test_every_contract_test_has_an_engine_that_fails_it(outcomes):
    assert set(BROKEN.values()) == contract_tests(EngineContract).keys()
    assert BROKEN.keys() == outcomes.keys() - {*SOUND}
