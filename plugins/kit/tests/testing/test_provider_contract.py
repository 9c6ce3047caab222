"""Each contract test of providers fails for a provider that breaks what it holds, and it alone does."""

from __future__ import annotations

from pathlib import Path

import pytest
from llamafarm.errors import UpstreamError
from llamafarm_kit.testing import ProviderContract, Scene
from llamafarm_kit.testing.contract import contract_tests
from llamafarm_kit.testing.provider_failures import check_class

SOUND = ("TestAcme", "TestAcmeMedia", "TestAcmeFiles", "TestAcmeThatRefusesMuch", "TestAcmeThatOnlyEmbeds")
BROKEN = {
    "TestReplacesATest": "test_no_contract_test_is_replaced_or_skipped",
    "TestNoUsage": "test_a_whole_answer_has_text_stop_reason_and_usage",
    "TestNoEnd": "test_a_streamed_answer_is_the_same_in_chunks",
    "TestForgetsWhyItStopped": "test_a_streamed_answer_can_be_read_whole",
    "TestNoDone": "test_frames_are_events_and_end_with_done",
    "TestNoUsageInStreams": "test_a_stream_that_asks_for_its_usage_ends_with_it",
    "TestCutIsStop": "test_an_answer_that_was_cut_at_the_limit_says_so",
    "TestCallIsStop": "test_a_tool_call_is_told_as_one",
    "TestOneVector": "test_there_is_one_vector_for_each_input",
    "TestOneScore": "test_there_is_one_score_for_each_document_and_pair",
    "TestOneClass": "test_there_are_classes_and_names_for_each_text",
    "TestCountsFromOne": "test_there_are_classes_and_names_for_each_text",
    "TestWorstFirst": "test_there_is_one_score_for_each_document_and_pair",
    "TestLosesPictures": "test_pictures_come_as_the_runtime_made_them",
    "TestHearsNothing": "test_a_recording_is_written_down",
    "TestTellsNoMediaType": "test_a_sound_comes_with_its_media_type_and_all_its_bytes",
    "TestOneModelForAll": "test_the_runtime_is_asked_for_the_entrys_model",
    "TestOneRequestAtATime": "test_ten_requests_at_once_each_get_their_own_answer",
    "TestEndsAtAnEmptyChunk": "test_an_odd_stream_is_read_to_its_end",
    "TestSendsEmptyEvents": "test_an_odd_stream_is_passed_on_so_that_every_client_reads_it",
    "TestTakesAnEmptyReasonForTheEnd": "test_an_empty_stop_reason_is_no_end",
    "TestKeepsOneCall": "test_two_tool_calls_are_put_together_from_their_pieces",
    "TestForgetsItsThoughts": "test_content_in_parts_is_the_text_and_the_reasoning",
    "TestFillsHoles": "test_a_vector_with_a_hole_is_the_runtimes_fault",
    "TestBlamesTheClient": "test_an_answer_that_no_reader_takes_is_the_runtimes_fault",
    "TestClosesLater": "test_closing_a_reply_ends_the_runtimes_work_before_it_returns",
    "TestSpeaksOn": "test_closing_a_content_ends_the_runtimes_work_before_it_returns",
    "TestGoesOn": "test_cancelling_a_request_ends_the_runtimes_work",
    "TestClosedOnce": "test_a_reply_may_be_closed_twice",
    "TestReadOrClosed": "test_a_reply_that_was_read_may_be_closed",
    "TestEndsOnce": "test_a_provider_may_be_closed_twice",
    "TestForbiddenIsAFault": "test_a_refusal_is_its_own_error",
    "TestOwnWords": "test_the_runtimes_own_words_reach_the_reader",
    "TestForgetsWhenToComeBack": "test_a_refusal_that_says_when_to_come_back_passes_it_on",
    "TestAcceptsEverything": "test_a_reply_exists_only_after_the_runtime_has_accepted",
    "TestNobodyIsAFault": "test_a_runtime_that_is_not_there_is_a_connection_that_failed",
    "TestGarbageIsTheClients": "test_an_answer_that_is_not_the_wires_is_the_runtimes_fault",
    "TestSilenceIsUnavailable": "test_a_runtime_that_does_not_begin_to_answer_is_a_timeout",
    "TestHasTime": "test_the_deadline_of_a_call_is_kept",
    "TestPatient": "test_an_answer_that_stops_in_the_middle_is_a_timeout",
    "TestEndsEarly": "test_a_stream_that_breaks_off_is_never_taken_for_a_whole_one",
    "TestHalfASound": "test_a_sound_that_breaks_off_is_never_taken_for_a_whole_one",
    "TestAnonymous": "test_an_error_is_for_the_person_who_reads_it",
    "TestNamesNoModel": "test_an_error_is_for_the_person_who_reads_it",
    "TestShowsItsInside": "test_an_error_is_for_the_person_who_reads_it",
    "TestTakesItForDone": "test_a_model_that_cannot_be_fetched_or_deleted_is_an_error",
    "TestFetchesForAsLongAsItTakes": "test_the_deadline_of_a_pull_and_of_a_removal_is_kept",
    "TestCountsNothing": "test_counting_tokens_fails_as_a_chat_does",
    "TestEstimatesTexts": "test_counting_the_tokens_of_texts_fails_as_a_chat_does",
    "TestFetchesOn": "test_cancelling_a_pull_ends_the_runtimes_work",
    "TestNeverWell": "test_health_says_that_the_runtime_is_up",
    "TestHealthRaises": "test_health_says_what_is_wrong_and_never_raises",
    "TestListsNothing": "test_it_lists_the_models_that_the_runtime_has",
    "TestDescribesAnother": "test_it_describes_a_model_that_the_runtime_has",
    "TestKnowsEveryModel": "test_describing_a_model_that_is_missing_raises_model_not_found",
    "TestMisspelt": "test_its_operations_are_exactly_what_it_implements",
    "TestForgetsSeeds": "test_every_field_is_sent_or_named_as_ignored_or_refused",
    "TestForgetsZeros": "test_every_field_is_sent_or_named_as_ignored_or_refused",
}
"""The broken providers of broken_providers.py, each with the one contract test that it fails."""


ALIKE = ("unauthorized", "model_missing", "invalid", "too_long", "failed", "unavailable")
"""Scenes that one like them stands for: the broken providers are spared them."""


@pytest.fixture(scope="module")
def outcomes(run_contracts):
    spared = " or ".join(f"[{scene}]" for scene in ALIKE)
    return run_contracts(
        Path(__file__).with_name("broken_providers.py"), select=f"TestAcme or not ({spared} or [completions])"
    )


@pytest.mark.parametrize("provider", SOUND)
def test_a_sound_provider_passes_every_contract_test(outcomes, provider):
    assert outcomes[provider] == dict.fromkeys(contract_tests(ProviderContract), "passed")


@pytest.mark.parametrize("provider", BROKEN)
def test_a_broken_provider_fails_its_contract_test_and_no_other(outcomes, provider):
    assert [test for test, outcome in outcomes[provider].items() if outcome != "passed"] == [BROKEN[provider]]


def test_every_contract_test_has_a_provider_that_fails_it(outcomes):
    assert set(BROKEN.values()) == contract_tests(ProviderContract).keys()
    assert BROKEN.keys() == outcomes.keys() - {*SOUND}


@pytest.mark.parametrize(
    ("scene", "subject"), [(Scene.MODEL_MISSING, "a model"), (Scene.TOO_LONG, "the context's length")]
)
def test_an_author_is_told_where_words_decide_and_not_the_status_alone(scene, subject):
    with pytest.raises(AssertionError, match=f"words of the refusal speak of {subject}"):
        check_class(UpstreamError("no, says the server"), scene)


def test_an_author_is_told_nothing_of_words_where_the_status_decides():
    with pytest.raises(AssertionError) as caught:
        check_class(UpstreamError("no, says the server"), Scene.UNAUTHORIZED)
    assert "words of the refusal" not in str(caught.value)
