"""What must not be shown is not shown."""

from __future__ import annotations

import pytest
from llamafarm.config import mask, masked
from llamafarm.config.secrets import is_secret_key


@pytest.mark.parametrize(
    "key", ["api_key", "API-KEY", "hf_token", "token", "client_secret", "password", "Authorization"]
)
def test_keys_that_say_that_they_are_secret(key):
    assert is_secret_key(key)


@pytest.mark.parametrize("key", ["max_tokens", "tokenizer", "model", "keep_loaded", "monkey", "cache_type_k"])
def test_keys_that_only_sound_like_it(key):
    assert not is_secret_key(key)


def test_secrets_are_masked_inside_texts_the_longest_first():
    assert mask("say ab12 and ab12-efg", {"ab12", "ab12-efg"}) == "say ******** and ********"


@pytest.mark.parametrize("key", ["ollama", "EMPTY", "lm-studio", "not-needed"])
def test_a_word_that_stands_for_a_key_is_left_in_other_messages(refused, key):
    lines = refused(
        f"runtime: {{models: [{{name: {key}, provider: cow, model: m, api_key: {key}, description: 3}}, "
        f"{{name: {key}, provider: cow, model: m}}]}}"
    )
    assert f"a model entry named {key!r} is already in line 1" in lines[-1]


def test_very_short_values_are_not_looked_for():
    assert mask("1 of 10", {"1"}) == "1 of 10"


def test_passwords_in_addresses_are_masked():
    assert mask("http://me:hunter2@host/v1", ()) == "http://me:********@host/v1"


def test_literal_secrets_are_masked_wherever_they_stand(load):
    text = """
        runtime:
          provider: cow
          model: m
          api_key: sk-literal
          base_url: http://me:hunter2@host/v1
          extra_body: {headers: {authorization: Bearer x, plain: shown}, max_tokens: 5}
    """
    project = load(text)
    shown = masked(project)
    assert "sk-literal" not in str(shown)
    assert "hunter2" not in str(shown)
    (entry,) = shown["runtime"]["models"]
    assert entry["extra_body"] == {
        "headers": {"authorization": "********", "plain": "shown"},
        "max_tokens": 5,
    }
    assert {"sk-literal", "hunter2", "Bearer x"} <= project.secrets


def test_a_literal_default_of_a_secret_is_masked(load):
    shown = masked(load("runtime: {provider: cow, model: m, api_key: '${KEY:-sk-literal}'}"))
    assert shown["runtime"]["models"][0]["api_key"] == "********"


def test_the_shown_configuration_has_one_form_whichever_was_written(load):
    shown = masked(load("prompts: {short: Hi}\nruntime: {default_model: a, models: {a: {provider: cow, model: m}}}"))
    assert shown == {
        "version": "v1",
        "name": "my-farm",
        "namespace": "default",
        "prompts": [{"name": "short", "messages": [{"role": "system", "content": "Hi"}]}],
        "runtime": {"default_model": "a", "models": [{"name": "a", "provider": "cow", "model": "m"}]},
    }
