"""`model_api_parameters` and `extra_body`, held to the rules of requests when the file is read."""

from __future__ import annotations

import pytest

COW = "name: a, provider: cow, model: m"
"""An entry of a provider that sends everything as it is."""
HEN = "name: a, provider: hen, model: m"
"""An entry of a provider that refuses what it does not know."""
OF_SERVERS = (
    "top_k", "min_p", "repetition_penalty", "repeat_penalty", "min_tokens", "max_new_tokens", "n_predict", "mirostat",
    "stop_token_ids", "prompt_logprobs", "structured_outputs", "chat_template_kwargs", "reasoning_format",
    "service_tier", "safety_identifier", "prompt_cache_key", "num_inference_steps",
)  # fmt: skip
"""Names that servers have beside the wire's."""


@pytest.fixture
def told(refused):
    """told(entry, field, parameters): what is said of each parameter, with its column."""

    def run(entry: str, field: str, parameters: str, **environ: str) -> list[str]:
        lines = refused(f"runtime:\n  models:\n  - {{{entry}, {field}: {parameters}}}\n", **environ)
        return [line.split(f"runtime.models[0].{field}.", 1)[1] for line in lines]

    return run


def test_every_parameter_that_requests_would_be_refused_for_is_told_at_its_place(refused):
    lines = refused(
        "runtime:\n  models:\n  - name: a\n    provider: cow\n    model: m\n    model_api_parameters:\n"
        "      stream: true\n      temperature: hot\n      max_tokens: -5\n      temprature: 1\n"
    )
    assert [
        line.removeprefix("llamafarm.yaml:").replace("runtime.models[0].model_api_parameters.", "") for line in lines
    ] == [
        "7:7: stream: can be set by a request only; leave it out",
        "8:7: temperature: must be a number of at least 0, not 'hot'",
        "9:7: max_tokens: must be a whole number of at least 1, not -5",
        "10:7: temprature: unknown parameter; did you mean 'temperature'?",
    ]


@pytest.mark.parametrize("field", ["model_api_parameters", "extra_body"])
@pytest.mark.parametrize(
    "name",
    [
        "messages",
        "prompt",
        "input",
        "image",
        "file",
        "query",
        "documents",
        "text_1",
        "stream",
        "stream_format",
        "model",
    ],
)
def test_what_only_a_request_can_set_is_refused(told, field, name):
    assert told(COW, field, f"{{{name}: x}}") == [f"{name}: can be set by a request only; leave it out"]


@pytest.mark.parametrize("field", ["model_api_parameters", "extra_body"])
@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ("{top_p: 2}", "top_p: must be a number from 0 to 1, not 2"),
        ("{top_p: '1'}", "top_p: must be a number from 0 to 1, not '1'; take the quotes away"),
        ("{stop: [1]}", "stop: must be a text or a list of texts, not a list"),
        ("{messages: []}", "messages: can be set by a request only; leave it out"),
        ("{max_token: 5}", "max_token: unknown parameter; did you mean 'max_tokens'?"),
        ("{seed: '${NUMBER}'}", "seed: must be a whole number, not '3'; take the quotes away (from a variable)"),
    ],
)
def test_both_kinds_of_parameters_are_checked(told, field, parameters, message):
    assert told(COW, field, parameters, NUMBER="3") == [message]


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ("{n: 2}", "n: the provider hen cannot do this: one egg a day"),
        ("{max_tokens: -2}", "max_tokens: must be a whole number of at least -1, not -2"),
        ("{grian: 1}", "grian: the provider hen knows no such parameter; did you mean 'grain'?"),
        ("{fodder: 1}", "fodder: the provider hen knows no such parameter"),
    ],
)
def test_what_the_provider_says_of_its_fields_counts(told, parameters, message):
    assert told(HEN, "model_api_parameters", parameters) == [message]


@pytest.mark.parametrize("name", OF_SERVERS)
def test_a_name_that_a_server_may_have_of_its_own_passes_where_it_is_forwarded(load, name):
    load(f"runtime: {{models: [{{{COW}, model_api_parameters: {{{name}: 1}}, extra_body: {{{name}: 1}}}}]}}")


@pytest.mark.parametrize(
    ("entry", "parameters"),
    [
        (COW, "{seed: null, stop: [], temperature: 0, logprobs: true}"),
        (COW, "{size: 512x512, response_format: b64_json}"),
        (HEN, "{n: 1, max_tokens: -1, grain: many}"),
        (HEN + ", handler: [shear], handler_options: {shear: {blades: 1}}", "{wool: 3}"),
    ],
)
def test_what_is_right_for_some_operation_or_somebody_elses_passes(load, entry, parameters):
    load(f"runtime: {{models: [{{{entry}, model_api_parameters: {parameters}}}]}}")


def test_a_chat_servers_own_field_may_be_called_as_one_of_pictures_is(load):
    load(f"runtime: {{models: [{{{COW}, extra_body: {{size: 5, style: [brief]}}}}]}}")


def test_a_parameter_of_a_missing_variable_is_told_as_that_alone(load):
    project = load(f"runtime: {{models: [{{{COW}, model_api_parameters: {{seed: '${{NOWHERE}}'}}}}]}}")
    assert "the variable NOWHERE is not set" in str(project.models[0].error)
