"""A body that is wrong is told apart before anybody is asked: its type, its size, its JSON, its fields."""

from __future__ import annotations

import json

import httpx
import pytest
from llamafarm.api.settings import Limits

HI = [{"role": "user", "content": "Hi"}]
BROKEN_CALL = {"id": "c", "type": "function", "function": {"name": "f", "arguments": '{"city": '}}


def post(
    server, content: bytes | str, kind: str | None = "application/json", path: str = "/chat/completions", **headers
):
    own = {"content-type": kind} if kind else {}
    return httpx.post(server.url + path, content=content, headers={**own, **headers})


def error(answer: httpx.Response) -> dict:
    """The error of an answer; it has the envelope's four fields and no others."""
    body = answer.json()
    assert list(body) == ["error"]
    assert set(body["error"]) == {"message", "type", "code", "param"}
    assert answer.headers["content-type"] == "application/json"
    return body["error"]


@pytest.mark.parametrize(
    ("content", "kind", "status", "code"),
    [
        (b'{"messages": [}', "application/json", 400, "invalid_json"),
        (b"{}", "text/plain", 415, "unsupported_media_type"),
    ],
)
def test_only_a_json_object_is_read(shop, content, kind, status, code):
    answer = post(shop, content, kind)
    assert (answer.status_code, error(answer)["code"]) == (status, code)


def test_a_body_that_is_too_large_is_a_413_that_names_the_variable(serve):
    server = serve(limits=Limits(max_body_bytes=1000))
    answer = post(server, b"x" * 1001)
    assert answer.status_code == 413
    assert "larger than 1,000 bytes.\nLF_MAX_BODY_BYTES" in error(answer)["message"]


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("messages", None, "The field 'messages' is missing."),
        ("messages", [], "at least one message"),
        ("messages", "Hi", "at least one message"),
        ("messages", ["Hi"], "'messages.0' must be an object"),
        ("messages", [{"content": "Hi"}], "'messages.0.role' must be a text"),
        ("messages", [{"role": "user", "content": 7}], "'messages.0.content' must be a text, a list of parts"),
        ("messages", [{"role": "user"}], "'messages.0.content' must be a text or a list of parts"),
        ("messages", [*HI, {"role": "user", "content": [{"text": "x"}]}], "'messages.1.content'"),
        ("messages", [{"role": "assistant", "tool_calls": {}}], "'messages.0.tool_calls' must be a list"),
        ("model", 7, "'model' must be a text"),
        ("stream", "yes", "'stream' must be true or false"),
        ("stream_options", True, "'stream_options' must be an object"),
        ("temperature", "hot", "'temperature' must be a number of at least 0"),
        ("temperature", True, "'temperature' must be a number of at least 0"),
        ("temperature", -1, "'temperature' must be a number of at least 0"),
        ("top_p", 1.5, "'top_p' must be a number from 0 to 1"),
        ("max_tokens", -5, "'max_tokens' must be a whole number of at least 1"),
        ("max_tokens", 0, "'max_tokens' must be a whole number of at least 1"),
        ("max_tokens", 1.5, "'max_tokens' must be a whole number"),
        ("max_completion_tokens", -5, "'max_completion_tokens' must be a whole number of at least 1"),
        ("n", 0, "'n' must be a whole number of at least 1"),
        ("seed", "x", "'seed' must be a whole number"),
        ("seed", 10**400, "'seed' must be a whole number"),
        ("temperature", 10**400, "'temperature' must be a number of at least 0"),
        ("logit_bias", {"1": 10**400}, "'logit_bias' must be an object of numbers"),
        ("stop", [1], "'stop' must be a text or a list of texts"),
        ("presence_penalty", 3, "'presence_penalty' must be a number from -2 to 2"),
        ("logit_bias", {"1": 200}, "'logit_bias' must be an object of numbers from -100 to 100"),
        ("logprobs", "x", "'logprobs' must be true, false or a whole number"),
        ("top_logprobs", -1, "'top_logprobs' must be a whole number of at least 0"),
        ("response_format", "json", "'response_format' must be an object with a `type`"),
        ("tools", [{}], "'tools' must be a list of objects that each have a `type`"),
        ("tool_choice", 1, "'tool_choice' must be a text or an object"),
        ("metadata", "x", "'metadata' must be an object"),
    ],
)
def test_a_chat_field_of_the_wrong_type_is_a_400_that_names_it(shop, shop_provider, field, value, message):
    before = list(shop_provider.requests)
    answer = post(shop, json.dumps({"messages": HI, field: value}))
    assert answer.status_code == 400
    assert message in error(answer)["message"]
    assert error(answer)["param"].split(".")[0] == field
    assert shop_provider.requests == before


@pytest.mark.parametrize(
    ("path", "body", "param"),
    [
        ("/completions", {}, "prompt"),
        ("/completions", {"prompt": {}}, "prompt"),
        ("/completions", {"prompt": [1, "a"]}, "prompt"),
        ("/completions", {"prompt": "x", "max_tokens": -1}, "max_tokens"),
        ("/completions", {"prompt": "x", "echo": 1}, "echo"),
        ("/embeddings", {}, "input"),
        ("/embeddings", {"input": []}, "input"),
        ("/embeddings", {"input": [1.5]}, "input"),
        ("/embeddings", {"input": [[]]}, "input"),
        ("/embeddings", {"input": [{"image": "x"}, 1.5]}, "input"),
        ("/completions", {"prompt": [{"image": "x"}]}, "prompt"),
        ("/embeddings", {"input": "x", "dimensions": 0}, "dimensions"),
        ("/embeddings", {"input": "x", "encoding_format": "hex"}, "encoding_format"),
    ],
)
def test_the_fields_of_the_other_operations_are_checked_too(shop, path, body, param):
    answer = post(shop, json.dumps(body), path=path)
    assert answer.status_code == 400
    assert error(answer)["param"] == param


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/chat/completions", {"messages": [{"role": "assistant", "content": None, "tool_calls": [{"id": "c"}]}]}),
        ("/chat/completions", {"messages": [{"role": "user", "content": [{"type": "text", "text": "Hi"}]}]}),
        ("/chat/completions", {"messages": HI, "temperature": None, "stop": None, "max_tokens": None}),
        ("/chat/completions", {"messages": HI, "mirostat": 2, "stop": ["a", "b"], "seed": -1, "logprobs": True}),
        ("/completions", {"prompt": ["a", "b"], "logprobs": 3}),
        ("/completions", {"prompt": [1, 2, 3]}),
        ("/completions", {"prompt": "x", "max_tokens": 0, "echo": True, "logprobs": 1}),
        ("/chat/completions", {"messages": HI, "stop": [], "stream_options": {"include_obfuscation": False}}),
        ("/chat/completions", {"messages": [{"role": "assistant", "tool_calls": [BROKEN_CALL]}]}),
        ("/embeddings", {"input": [[1, 2], [3]]}),
        ("/embeddings", {"input": {"image": "data:,"}}),
        ("/embeddings", {"input": ["x", {"image": "data:,"}, {"text": "y"}]}),
        ("/embeddings", {"input": [[1, 2], {"type": "image_url", "image_url": {"url": "https://x"}}]}),
    ],
)
def test_what_is_right_or_unknown_passes(shop, shop_provider, path, body):
    asked = len(shop_provider.requests)
    assert post(shop, json.dumps(body), path=path).status_code == 200
    assert len(shop_provider.requests) == asked + 1


def test_absent_and_null_stay_different_on_their_way(shop, shop_provider):
    post(shop, json.dumps({"messages": HI, "stop": None}))
    assert shop_provider.requests[-1]["stop"] is None
    assert "seed" not in shop_provider.requests[-1]


def test_paths_and_methods_that_do_not_exist_are_refused_in_the_envelope(shop):
    missing = httpx.get(f"{shop.url}/nothing")
    assert (missing.status_code, error(missing)["code"]) == (404, "not_found")
    slash = httpx.post(f"{shop.url}/chat/completions/", json={"messages": HI})
    assert (slash.status_code, error(slash)["code"]) == (404, "not_found")
    wrong = httpx.get(f"{shop.url}/chat/completions")
    assert (wrong.status_code, error(wrong)["code"]) == (405, "method_not_allowed")
    assert wrong.headers["allow"] == "POST"


def test_a_project_that_does_not_exist_is_a_404(shop):
    answer = httpx.post(f"{shop.url}/projects/default/nothing/chat/completions", json={"messages": HI})
    assert (answer.status_code, error(answer)["code"]) == (404, "project_not_found")


def test_a_server_without_a_default_project_says_how_to_name_one(serve):
    answer = httpx.post(f"{serve(project=None).url}/chat/completions", json={"messages": HI})
    assert answer.status_code == 404
    assert "/v1/projects/NAMESPACE/NAME" in error(answer)["message"]


def test_a_body_that_is_nested_too_deeply_is_refused_wherever_it_is_parsed(shop):
    deep = "[" * 980 + "]" * 980
    for filling in ("", "x" * 70_000):  # the larger one is parsed in a thread
        content = f'{{"messages": [{{"role": "user", "content": "Hi"}}], "tools": {deep}, "user": "{filling}"}}'
        answer = httpx.post(
            f"{shop.url}/chat/completions", content=content, headers={"content-type": "application/json"}
        )
        assert (answer.status_code, error(answer)["code"]) == (400, "invalid_json")
        assert "nested too deeply" in error(answer)["message"]
