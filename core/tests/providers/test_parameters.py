"""What becomes of each field of a request: sent, left out and named, or refused by name."""

from __future__ import annotations

import pytest
from llamafarm.errors import InvalidRequest, RequestError
from llamafarm.providers.parameters import FORWARD_EVERYTHING, IGNORED_HEADER, Field, Parameters, note_ignored
from llamafarm.wire.operations import CHAT, COMPLETIONS, EMBEDDINGS, IMAGES, SPEECH


def refusal(parameters: Parameters, request, operation=CHAT) -> InvalidRequest:
    with pytest.raises(InvalidRequest) as caught:
        parameters.apply(request, operation, "acme")
    return caught.value


def test_without_a_word_everything_is_sent():
    request = {"messages": [], "temperature": None, "mirostat": 2}
    assert FORWARD_EVERYTHING.apply(request, CHAT, "acme") == (request, [])


def test_an_advisory_field_is_left_out_and_named():
    parameters = Parameters(advisory=frozenset({"user", "store"}))
    assert parameters.apply({"user": "me", "store": True, "n": 1}, CHAT, "acme") == ({"n": 1}, ["store", "user"])


def test_an_advisory_null_is_left_out_without_a_word_since_it_asks_for_nothing():
    assert Parameters(advisory=frozenset({"user"})).apply({"user": None}, CHAT, "acme") == ({}, [])


def test_a_refused_field_is_an_error_that_names_the_field_the_provider_and_the_operation():
    error = refusal(Parameters(refused=frozenset({"n"})), {"n": 2})
    assert (error.status, error.param, error.provider) == (400, "n", "acme")
    assert error.message == "The provider acme cannot do 'n' for chat."


@pytest.mark.parametrize(
    ("operation", "name", "value"),
    [(CHAT, "max_tokens", 0), (CHAT, "max_completion_tokens", -1), (COMPLETIONS, "max_tokens", -1)],
)
def test_a_number_below_what_the_wire_allows_is_refused(operation, name, value):
    with pytest.raises(RequestError, match=f"The field '{name}' must be a whole number of at least") as caught:
        Parameters().check({name: value}, operation)
    assert caught.value.param == name


def test_a_completion_of_no_tokens_is_right_since_it_may_ask_for_the_prompts_probabilities():
    Parameters().check({"max_tokens": 0, "echo": True, "logprobs": 1}, COMPLETIONS)


def test_a_provider_says_where_its_runtime_takes_smaller_numbers():
    parameters = Parameters(fields={"max_tokens": Field(least=-1)})
    parameters.check({"max_tokens": -1}, CHAT)
    with pytest.raises(RequestError, match="at least -1"):
        parameters.check({"max_tokens": -2}, CHAT)


def test_a_refused_null_asks_for_nothing():
    assert Parameters(refused=frozenset({"n"})).apply({"n": None}, CHAT, "acme") == ({"n": None}, [])


def test_a_field_may_say_why_it_is_refused():
    parameters = Parameters(fields={"n": Field("refused", "it answers once")})
    assert refusal(parameters, {"n": 2}).message == "The provider acme cannot do 'n' for chat: it answers once."


def test_a_refused_field_may_take_the_values_that_ask_for_what_is_done_anyway():
    parameters = Parameters(fields={"n": Field("refused", taken=(1,)), "logprobs": Field("refused", taken=(False, 0))})
    assert parameters.apply({"n": 1, "logprobs": False}, CHAT, "acme") == ({"n": 1, "logprobs": False}, [])
    assert refusal(parameters, {"n": 2}).param == "n"


@pytest.mark.parametrize(("taken", "given"), [(1, True), (True, 1), (0, False), (False, 0)])
def test_a_number_that_is_taken_is_no_flag(taken, given):
    assert refusal(Parameters(fields={"n": Field("refused", taken=(taken,))}), {"n": given}).param == "n"


def test_a_field_may_be_treated_otherwise_in_one_operation():
    parameters = Parameters(fields={"user": Field("advisory"), "images.user": Field("refused", "no names")})
    assert parameters.apply({"user": "me"}, CHAT, "acme") == ({}, ["user"])
    assert refusal(parameters, {"user": "me"}, IMAGES).message.endswith("cannot do 'user' for images: no names.")


def test_what_one_operation_says_of_a_field_beyond_the_wire_holds_there_alone():
    parameters = Parameters(fields={"images.steps": Field(note="--steps")}, forward_unknown=False)
    assert parameters.of("steps", IMAGES) == Field(note="--steps")
    assert parameters.of("steps", SPEECH).fate == "refused"


def test_a_field_of_the_wire_says_nothing_of_the_same_name_in_an_operation_without_it():
    parameters = Parameters(fields={"voice": Field("refused")})
    assert parameters.of("voice", SPEECH).fate == "refused"
    assert parameters.of("voice", CHAT).fate == "mapped"


def test_fields_that_nobody_defines_are_refused_where_the_provider_does_not_pass_them_on():
    strict = Parameters(forward_unknown=False)
    assert strict.apply({"messages": [], "seed": 1}, CHAT, "acme") == ({"messages": [], "seed": 1}, [])
    assert refusal(strict, {"mirostat": 2}).param == "mirostat"


def test_native_fields_are_sent_in_their_operation_and_refused_elsewhere():
    parameters = Parameters(forward_unknown=False, native={"chat": frozenset({"num_ctx"})})
    assert parameters.apply({"num_ctx": 4096}, CHAT, "acme") == ({"num_ctx": 4096}, [])
    assert refusal(parameters, {"num_ctx": 4096}, EMBEDDINGS).param == "num_ctx"


@pytest.mark.parametrize(("typed", "meant"), [("num_ctxx", "num_ctx"), ("temperatur", "temperature")])
def test_a_slip_of_the_pen_is_answered_with_the_nearest_name(typed, meant):
    parameters = Parameters(forward_unknown=False, native={"chat": frozenset({"num_ctx"})})
    assert refusal(parameters, {typed: 1}).hint == f"Did you mean {meant!r}?"


def test_a_field_that_is_spelt_right_gets_no_other_name_proposed():
    assert refusal(Parameters(refused=frozenset({"stop"})), {"stop": "x"}).hint is None
    assert refusal(Parameters(forward_unknown=False), {"qqqq": 1}).hint is None


def test_names_of_ignored_fields_are_added_to_those_that_are_noted():
    headers: dict[str, str] = {}
    note_ignored(headers, [])
    assert headers == {}
    note_ignored(headers, ["user"])
    note_ignored(headers, ["store", "seed"])
    note_ignored(headers, [])
    assert headers == {IGNORED_HEADER: "user, store, seed"}
