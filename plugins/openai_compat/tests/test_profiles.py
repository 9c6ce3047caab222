"""The table of servers: each row is whole, and what it says of a field is what becomes of it."""

from __future__ import annotations

from pathlib import Path
from typing import get_args

import pytest
from llamafarm.errors import InvalidRequest
from llamafarm.providers.parameters import IGNORED_HEADER, Parameters
from llamafarm.wire.operations import CHAT, COMPLETIONS, EMBEDDINGS, OPERATIONS, TRANSCRIPTIONS, Operation
from llamafarm_kit.testing.upstream import ScriptedUpstream, answering
from llamafarm_kit.testing.wire_values import values_of
from llamafarm_openai_compat.profile import Profile, ProfileName
from llamafarm_openai_compat.profiles import GENERIC, OPENAI, PROFILES, profile_named
from llamafarm_openai_compat.request import is_treated
from openai_asking import COMPLETION, MESSAGES, Asking

pytestmark = pytest.mark.anyio
SCHEMA = {"type": "json_schema", "json_schema": {"name": "cat", "schema": {"type": "object", "properties": {}}}}
TELLING = {"modalities": ["text", "audio"], "audio": {"voice": "alloy"}}


def rows() -> list[tuple[Profile, Operation, str]]:
    """Every field that a profile treats, with an operation that has it."""
    found = []
    for profile in PROFILES:
        for name in profile.parameters.fields:
            named, _, field = name.rpartition(".")
            fitting = [row for row in OPERATIONS if row.name == named] or [
                row for row in OPERATIONS if field in row.fields
            ]
            found.append((profile, fitting[0], field))
    return found


def telling(operation: Operation, name: str) -> object:
    """A value of a field that asks for something."""
    known = values_of(operation).get(name)
    return TELLING.get(name) or (known[0] if known else "lf-value")


async def sent_by(profile: ProfileName, **fields) -> dict:
    """The request that reaches a server of that profile."""
    async with ScriptedUpstream(answering(COMPLETION)) as upstream, Asking(upstream, profile=profile) as asking:
        await asking.chat(**fields)
        [asked] = upstream.requests
        return {name: value for name, value in asked.body.items() if name not in ("messages", "model")}


async def refusal_of(profile: ProfileName, **fields) -> InvalidRequest:
    async with ScriptedUpstream(answering(COMPLETION)) as upstream, Asking(upstream, profile=profile) as asking:
        with pytest.raises(InvalidRequest) as caught:
            await asking.chat(**fields)
        assert upstream.requests == [], "nothing is sent"
        return caught.value


def test_every_profile_that_can_be_named_has_a_row():
    assert tuple(profile.name for profile in PROFILES) == get_args(ProfileName)
    assert len({profile.title for profile in PROFILES}) == len(PROFILES)


def test_the_readme_names_every_profile_and_its_key():
    readme = Path(__file__).parents[1] / "README.md"
    rows = [line.split("|")[1:4:2] for line in readme.read_text().splitlines() if line.startswith("| `")]
    told = {cells[0].strip(): cells[1].strip() for cells in rows}
    for profile in PROFILES:
        assert told[f"`{profile.name}`"] == (f"`{profile.key}`" if profile.key else "")


@pytest.mark.parametrize("profile", PROFILES, ids=lambda profile: profile.name)
def test_every_row_says_how_its_facts_are_known(profile):
    assert any(way in profile.source for way in ("[run", "[source]", "[documents")), profile.source
    assert all(found.note for found in profile.parameters.fields.values())


@pytest.mark.parametrize(
    "profile, operation, name", rows(), ids=[f"{profile.name}-{row.name}-{name}" for profile, row, name in rows()]
)
def test_a_field_that_a_server_would_drop_is_refused_or_named(profile: Profile, operation: Operation, name: str):
    found = profile.parameters.of(name, operation)
    request = {name: telling(operation, name)}
    assert name in profile.treated
    assert is_treated(request, operation, profile)
    assert not is_treated({name: None}, operation, profile)
    if found.fate == "advisory":
        assert profile.parameters.apply(request, operation, "openai") == ({}, [name])
        return
    with pytest.raises(InvalidRequest, match=f"{name!r} for {operation.name}") as caught:
        profile.parameters.apply(request, operation, "openai")
    assert found.note in caught.value.message
    for value in found.taken:
        assert profile.parameters.apply({name: value}, operation, "openai") == ({name: value}, [])
        assert not is_treated({name: value}, operation, profile)


@pytest.mark.parametrize("profile", [OPENAI, GENERIC], ids=lambda profile: profile.name)
def test_openai_and_servers_that_nobody_knows_get_everything_as_it_is(profile):
    assert profile.parameters == Parameters()


@pytest.mark.parametrize("kind", [{"type": "json_object"}, SCHEMA, {"type": "text"}], ids=lambda kind: kind["type"])
@pytest.mark.parametrize("profile", ["openai", "vllm", "together", "llama.cpp", "generic"])
async def test_most_servers_take_response_format_as_it_is(profile, kind):
    assert await sent_by(profile, response_format=kind) == {"response_format": kind}


async def test_lm_studio_gets_a_schema_of_any_object_for_json_object():
    sent = await sent_by("lm-studio", response_format={"type": "json_object"}, seed=7)
    assert sent["response_format"]["type"] == "json_schema"
    assert sent["response_format"]["json_schema"]["schema"] == {"type": "object"}
    assert sent["seed"] == 7
    assert await sent_by("lm-studio", response_format=SCHEMA) == {"response_format": SCHEMA}


@pytest.mark.parametrize(
    "profile, way", [("anthropic", "a tool with the schema"), ("transformers-serve", "the prompt can ask for JSON")]
)
async def test_where_response_format_is_ignored_it_is_refused_with_a_way_that_works(profile, way):
    for kind in ({"type": "json_object"}, SCHEMA):
        error = await refusal_of(profile, response_format=kind)
        assert (error.param, error.status) == ("response_format", 400)
        assert way in error.message
    assert await sent_by(profile, response_format={"type": "text"}) == {"response_format": {"type": "text"}}


@pytest.mark.parametrize("name", ["guided_json", "guided_regex", "guided_choice", "guided_grammar"])
async def test_the_fields_that_vllm_has_no_more_are_refused_with_those_that_it_has(name):
    error = await refusal_of("vllm", **{name: {"type": "object"}})
    assert (error.param, "structured_outputs" in error.message) == (name, True)
    wanted = {"structured_outputs": {"json": {"type": "object"}}, "top_k": 20}
    assert await sent_by("vllm", **wanted) == wanted
    assert await sent_by("generic", **{name: "x"}) == {name: "x"}


async def test_what_has_no_effect_is_left_out_and_named():
    async with ScriptedUpstream(answering(COMPLETION)) as upstream, Asking(upstream, profile="anthropic") as asking:
        await asking.chat(user="u", metadata={"a": "b"}, store=None, top_p=0.5)
        assert asking.headers[IGNORED_HEADER] == "metadata, user"
        assert {"user", "metadata", "store"}.isdisjoint(upstream.requests[0].body)
        assert upstream.requests[0].body["top_p"] == 0.5


async def test_tools_whose_strictness_is_not_held_to_are_sent_and_that_is_named():
    tool = {"type": "function", "function": {"name": "f", "parameters": {"type": "object"}, "strict": True}}
    for profile, named in (("anthropic", "tools.function.strict"), ("vllm", None)):
        async with ScriptedUpstream(answering(COMPLETION)) as upstream, Asking(upstream, profile=profile) as asking:
            await asking.chat(tools=[tool])
            assert upstream.requests[0].body["tools"] == [tool]
            assert asking.headers.get(IGNORED_HEADER) == named


async def test_a_number_that_would_be_lowered_without_a_word_is_refused():
    error = await refusal_of("anthropic", temperature=1.5)
    assert error.param == "temperature"
    assert "up to 1" in error.message
    assert await sent_by("anthropic", temperature=1) == {"temperature": 1}


async def test_a_part_of_a_message_that_would_be_left_out_without_a_word_is_refused():
    said = {"type": "input_audio", "input_audio": {"data": "", "format": "wav"}}
    messages = [{"role": "system", "content": "Be kind."}, {"role": "user", "content": [said]}]
    error = await refusal_of("anthropic", messages=messages)
    assert error.param == "messages.1.content.0"
    assert "input_audio" in error.message


async def test_limits_and_parts_of_a_row_hold_whatever_else_it_says():
    row = Profile("generic", "new", "[run]", limits={"n": 1}, parts={"file": "is not read"})
    told = {"messages": [{"role": "user", "content": [{"type": "file"}]}]}
    assert row.treated == {"n", "messages"}
    assert is_treated({"n": 2}, CHAT, row)
    assert is_treated(told, CHAT, row)
    assert not is_treated({"n": 1, "messages": MESSAGES}, CHAT, row)


async def test_a_null_asks_for_nothing():
    assert await sent_by("transformers-serve", n=None, logprobs=None) == {"n": None, "logprobs": None}


@pytest.mark.parametrize(
    "name, operation, field, fate",
    [
        ("llama.cpp", EMBEDDINGS, "dimensions", "refused"),
        ("lm-studio", CHAT, "logprobs", "refused"),
        ("lm-studio", COMPLETIONS, "logprobs", "refused"),
        ("vllm", COMPLETIONS, "best_of", "refused"),
        ("vllm", CHAT, "best_of", "mapped"),
        ("transformers-serve", TRANSCRIPTIONS, "language", "refused"),
        ("anthropic", CHAT, "seed", "refused"),
        ("anthropic", CHAT, "reasoning_effort", "refused"),
        ("together", CHAT, "seed", "mapped"),
    ],
)
def test_well_known_gaps(name, operation, field, fate):
    assert profile_named(name).parameters.of(field, operation).fate == fate
