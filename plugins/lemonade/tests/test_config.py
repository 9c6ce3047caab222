"""Entries as users write them: where they lead, and what is wrong with them."""

from __future__ import annotations

import pytest
from llamafarm.errors import ConfigError
from llamafarm_lemonade.config import LemonadeEntry, endpoint
from pydantic import ValidationError


def entry(**more) -> LemonadeEntry:
    return LemonadeEntry(**{"name": "lemon", "provider": "lemonade", "model": "user.Qwen3-4B", **more})


@pytest.mark.parametrize(
    "fields, environ, address",
    [
        ({}, {}, "http://127.0.0.1:13305/v1"),
        ({}, {"LEMONADE_PORT": "11534"}, "http://127.0.0.1:11534/v1"),
        ({"lemonade": {"port": 11535}}, {}, "http://127.0.0.1:11535/v1"),
        ({"lemonade": {"port": 11535}}, {"LEMONADE_PORT": "11534"}, "http://127.0.0.1:11535/v1"),
        ({"base_url": "http://127.0.0.1:11534/v1"}, {"LEMONADE_PORT": "9"}, "http://127.0.0.1:11534/v1"),
        ({"base_url": "http://localhost:11534"}, {}, "http://127.0.0.1:11534/v1"),
        ({"base_url": "http://127.0.0.1:8000/api/v1/"}, {}, "http://127.0.0.1:8000/api/v1"),
        ({"base_url": "https://lemonade.example/v1"}, {}, "https://lemonade.example/v1"),
    ],
)
def test_an_entry_leads_to_its_own_address_else_to_its_port_else_where_the_environment_says(fields, environ, address):
    assert endpoint(entry(**fields), environ).base_url == address


def test_the_block_of_the_documents_is_understood():
    found = entry(
        base_url="http://127.0.0.1:11534/v1",
        lemonade={"backend": "llamacpp", "port": 11534, "context_size": 32768},
    )
    assert endpoint(found, {}).base_url == "http://127.0.0.1:11534/v1"
    assert found.lemonade.settings() == {"ctx_size": 32768}


@pytest.mark.parametrize("backend", ["auto", "system", "metal", "cuda", "vulkan", "rocm", "cpu"])
def test_a_backend_of_llama_cpp_is_sent_as_one(backend):
    block = entry(lemonade={"backend": backend}).lemonade
    assert block.settings() == {"llamacpp_backend": backend}
    assert block.recipe == "llamacpp"


@pytest.mark.parametrize("recipe", ["llamacpp", "ryzenai-llm", "flm", "vllm"])
def test_a_recipe_belongs_to_the_model_and_is_not_sent_with_a_load(recipe):
    block = entry(lemonade={"backend": recipe}).lemonade
    assert (block.settings(), block.recipe) == ({}, recipe)


@pytest.mark.parametrize("backend", ["onnx", "transformers"])
def test_a_backend_that_lemonade_no_longer_has_is_an_error_that_names_its_recipes(backend):
    with pytest.raises(ValidationError, match=backend) as caught:
        entry(lemonade={"backend": backend})
    for recipe in ("llamacpp", "ryzenai-llm", "flm", "vllm", "onnxruntime"):
        assert recipe in str(caught.value)


@pytest.mark.parametrize(
    "block", [{"backend": "nonsense"}, {"port": 0}, {"context_size": 0}, {"ctx_size": 1}, {"checkpoint": "nowhere"}]
)
def test_what_a_block_cannot_hold_is_refused(block):
    with pytest.raises(ValidationError):
        entry(lemonade=block)


def test_an_address_and_a_port_that_contradict_each_other_are_an_error():
    with pytest.raises(ValidationError, match=r"is not the one of `lemonade\.port`"):
        entry(base_url="http://127.0.0.1:11534/v1", lemonade={"port": 11535})


def test_a_port_of_the_environment_that_is_none_is_an_error():
    with pytest.raises(ConfigError, match="LEMONADE_PORT"):
        endpoint(entry(), {"LEMONADE_PORT": "many"})


def test_the_key_of_the_environment_goes_to_this_machine_only():
    environ = {"LEMONADE_API_KEY": "sk-env"}
    assert endpoint(entry(), environ).api_key == "sk-env"
    assert endpoint(entry(api_key="sk-own"), environ).api_key == "sk-own"
    assert endpoint(entry(base_url="https://lemonade.example"), environ).api_key is None
