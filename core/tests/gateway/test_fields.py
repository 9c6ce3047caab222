"""How a request and the configuration's parameters become one, and what handlers take out of it."""

from __future__ import annotations

from typing import Annotated

import pytest
from llamafarm.errors import RequestError
from llamafarm.gateway.fields import merged, refuse_foreign_fields, take_handler_choice, take_handler_fields
from llamafarm.handlers.link import Link
from llamafarm.providers.entry import ModelEntry
from llamafarm.providers.parameters import Parameters
from llamafarm.records import AgentHandlerSpec
from llamafarm.wire.operations import (
    CHAT,
    COMPLETIONS,
    EMBEDDINGS,
    IMAGE_EDITS,
    IMAGES,
    OPERATIONS,
    RERANK,
    SPEECH,
    TRANSCRIPTIONS,
    TRANSLATIONS,
)
from pydantic import Field, TypeAdapter

RAG = AgentHandlerSpec("rag", "", lambda _: None, fields={"rag_top_k": int})  # type: ignore[arg-type,return-value]
LINK = Link("rag", None, {"rag_top_k": TypeAdapter(Annotated[int, Field(ge=1)])})  # type: ignore[arg-type]


def entry(parameters=None, extra=None) -> ModelEntry:
    return ModelEntry(name="m", provider="p", model="x", model_api_parameters=parameters or {}, extra_body=extra or {})


def test_the_request_wins_over_extra_body_and_that_over_the_parameters():
    found = merged({"a": 1}, entry({"a": 3, "b": 3, "c": 3}, {"a": 2, "b": 2}), CHAT)
    assert found == {"a": 1, "b": 2, "c": 3}


def test_a_null_in_the_request_undoes_a_parameter_and_travels_on():
    assert merged({"temperature": None}, entry({"temperature": 0.2}), CHAT) == {"temperature": None}
    assert merged({}, entry({"temperature": 0.2}), CHAT) == {"temperature": 0.2}


@pytest.mark.parametrize(
    ("configured", "requested"),
    [
        ({"max_tokens": 64}, {"max_completion_tokens": 128}),
        ({"max_completion_tokens": 64}, {"max_tokens": 128}),
        ({"max_completion_tokens": 64}, {"max_tokens": None}),
        ({"tools": [{"type": "function"}]}, {"functions": []}),
        ({"stop": ["a", "b"]}, {"stop": "c"}),
    ],
)
def test_what_a_request_says_replaces_what_the_entry_says_of_the_same_under_another_name(configured, requested):
    assert merged(requested, entry(configured), CHAT) == requested
    assert merged(requested, entry(None, configured), CHAT) == requested


def test_the_extra_body_replaces_a_parameter_under_another_name():
    assert merged({}, entry({"max_tokens": 64}, {"max_completion_tokens": 128}), CHAT) == {"max_completion_tokens": 128}


def test_a_request_that_takes_a_field_away_takes_away_what_needs_it():
    mine = entry({"logprobs": True, "top_logprobs": 3, "tools": [{"type": "function"}], "tool_choice": "auto"})
    assert merged({"logprobs": False, "tools": None}, mine, CHAT) == {"logprobs": False, "tools": None}
    assert merged({"logprobs": True}, mine, CHAT)["top_logprobs"] == 3


def test_a_provider_names_fields_of_its_runtime_that_say_the_same():
    parameters = Parameters(synonyms=(frozenset({"reasoning_effort", "think"}),), holders=("options",))
    mine = entry({"reasoning_effort": "low", "temperature": 0.1, "seed": 1})
    request = {"think": True, "options": {"temperature": 0.9}}
    assert merged(request, mine, CHAT, parameters) == {"seed": 1, **request}


def test_a_limit_of_chats_is_one_of_completions_under_their_name():
    assert merged({}, entry({"max_completion_tokens": 9}), COMPLETIONS) == {"max_tokens": 9}
    assert merged({}, entry({"max_completion_tokens": 9, "max_tokens": 5}), COMPLETIONS) == {"max_tokens": 5}


def test_parameters_of_another_operation_are_left_out():
    mine = entry({"temperature": 0.2, "max_completion_tokens": 9, "echo": True, "top_k": 4})
    assert merged({}, mine, CHAT) == {"temperature": 0.2, "max_completion_tokens": 9, "top_k": 4}
    assert merged({}, mine, COMPLETIONS) == {"temperature": 0.2, "echo": True, "top_k": 4, "max_tokens": 9}


def test_embeddings_get_the_parameters_that_they_define_and_the_extra_body():
    mine = entry({"temperature": 0.2, "top_k": 4, "dimensions": 8}, {"truncate": True})
    assert merged({}, mine, EMBEDDINGS) == {"dimensions": 8, "truncate": True}


def test_a_parameter_of_several_operations_reaches_each_of_them():
    mine = entry({"temperature": 0.2, "size": "512x512", "language": "en", "voice": "alloy", "top_n": 3})
    assert merged({}, mine, IMAGES) == merged({}, mine, IMAGE_EDITS) == {"size": "512x512"}
    assert merged({}, mine, TRANSCRIPTIONS) == {"temperature": 0.2, "language": "en"}
    assert merged({}, mine, TRANSLATIONS) == {"temperature": 0.2}
    assert merged({}, mine, SPEECH) == {"voice": "alloy"}
    assert merged({}, mine, RERANK) == {"top_n": 3}
    assert merged({}, mine, CHAT) == {"temperature": 0.2}


def test_a_name_that_pictures_and_sounds_use_may_be_a_chat_servers_own():
    mine = entry({}, {"style": "brief", "echo": True})
    assert merged({}, mine, CHAT) == {"style": "brief"}
    assert merged({}, mine, IMAGES) == {"style": "brief"}


def test_what_a_server_has_of_its_own_reaches_what_is_made_and_not_what_is_compared():
    mine = entry({"steps": 20})
    names = [row.name for row in OPERATIONS if not merged({}, mine, row)]
    sight = ["classify", "zero-shot", "features", "detect", "segment", "depth", "caption"]
    texts = ["rerank", "score", "classify", "ner"]
    assert names == ["embeddings", "audio/classify", *texts, *(f"vision/{name}" for name in sight)]


def test_the_extra_body_of_a_server_reaches_every_operation():
    assert all(merged({}, entry(None, {"truncate": True}), row) == {"truncate": True} for row in OPERATIONS)


class Owners:
    """What all installed handlers own; counts how often it was looked at."""

    def __init__(self, **owners: str) -> None:
        self.owners = owners
        self.looked = 0

    async def field_owners(self):
        self.looked += 1
        return self.owners


def test_the_fields_of_a_handler_are_taken_out_and_validated():
    rest, fields = take_handler_fields({"messages": [], "rag_top_k": "7"}, [LINK])
    assert (rest, fields) == ({"messages": []}, {"rag_top_k": 7})


def test_a_handlers_field_of_the_wrong_type_is_refused_by_name():
    with pytest.raises(RequestError, match="'rag_top_k', of the agent handler 'rag', is wrong") as refusal:
        take_handler_fields({"rag_top_k": 0}, [LINK])
    assert (refusal.value.status, refusal.value.param) == (400, "rag_top_k")


@pytest.mark.anyio
async def test_a_field_of_a_handler_that_is_not_in_the_chain_is_refused_by_name():
    with pytest.raises(RequestError, match="belongs to the agent handler 'rag'") as refusal:
        await refuse_foreign_fields({"messages": [], "rag_top_k": 7}, CHAT, Owners(rag_top_k="rag").field_owners)
    assert (refusal.value.status, refusal.value.param) == (400, "rag_top_k")


@pytest.mark.anyio
async def test_plugins_are_not_looked_at_for_a_request_that_holds_only_fields_of_the_wire():
    owners = Owners(rag_top_k="rag")
    await refuse_foreign_fields({"messages": []}, CHAT, owners.field_owners)
    assert owners.looked == 0


@pytest.mark.anyio
async def test_a_field_that_nobody_knows_is_left_for_the_provider_to_judge():
    await refuse_foreign_fields({"mirostat": 2}, CHAT, Owners(rag_top_k="rag").field_owners)
    assert take_handler_fields({"mirostat": 2}, []) == ({"mirostat": 2}, {})


@pytest.mark.parametrize("value, names", [("rag", ("rag",)), (["rag", "tools"], ("rag", "tools")), (None, ())])
def test_the_handlers_that_a_request_chooses_are_taken_out(value, names):
    rest, chosen = take_handler_choice({"messages": [], "handler": value})
    assert chosen == names
    assert names == () or rest == {"messages": []}


@pytest.mark.parametrize("value", [3, [], [3], {}], ids=repr)
def test_a_choice_of_handlers_that_names_none_is_refused(value):
    with pytest.raises(RequestError, match="must be the name of an agent handler, or a list of names"):
        take_handler_choice({"messages": [], "handler": value})
