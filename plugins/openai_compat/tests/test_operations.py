"""Pictures, sound, rerank, score, classes and entities: how they are asked for, and what counts as their answer."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from typing import Any

import pytest
from llamafarm.errors import ModelNotFound, ProviderError, RateLimited, UpstreamError
from llamafarm.wire import Unparsed, parsed, sse
from llamafarm.wire.operations import (
    CLASSIFY,
    EMBEDDINGS,
    IMAGE_EDITS,
    IMAGE_VARIATIONS,
    IMAGES,
    NER,
    RERANK,
    SCORE,
    SPEECH,
    TRANSCRIPTIONS,
    TRANSLATIONS,
    Operation,
)
from llamafarm.wire.upload import Upload
from llamafarm_kit.testing.upstream import Asked, Peer, Script, ScriptedUpstream, answering, streaming
from openai_asking import Asking

pytestmark = pytest.mark.anyio
PICTURE = Upload("cat.png", b"\x89PNG a cat", "image/png")
MASK = Upload("mask.png", b"\x89PNG a mask", "image/png")
SOUND = Upload("word.wav", b"RIFF a word", "audio/wav")
PICTURES = {"created": 1, "data": [{"b64_json": "aGVsbG8="}], "usage": {"total_tokens": 7}}
HEARD = {"text": "a word", "segments": [{"start": 0.0, "end": 0.5}]}
DOCUMENTS = ["one", "two", "three"]


async def ask(asking: Asking, operation: Operation, **request: Any) -> Any:
    return parsed(await getattr(asking.provider, operation.method)(request, asking.call()))


def sending(content: bytes, media_type: str) -> Script:
    async def script(_: Asked, peer: Peer) -> None:
        await peer.head(200, {"content-type": media_type, "content-length": str(len(content))})
        await peer.send(content)

    return script


def ranked(*scores: tuple[int, float]) -> dict[str, Any]:
    return {"model": "m", "results": [{"index": at, "relevance_score": score} for at, score in scores]}


def models(owned_by: str = "acme") -> Script:
    return answering({"object": "list", "data": [{"id": "gpt-x", "object": "model", "owned_by": owned_by}]})


def parts_of(asked: Asked) -> list[tuple[str, str | None, bytes]]:
    """The parts of a form: each with its name, the name of its file, and its bytes."""
    boundary = asked.headers["content-type"].partition("boundary=")[2].encode()
    found = []
    for part in asked.content.split(b"--" + boundary)[1:-1]:
        head, _, content = part.strip(b"\r\n").partition(b"\r\n\r\n")
        said = {
            key: value.strip('"')
            for key, _, value in (one.partition("=") for one in head.decode().split("\r\n")[0].split("; ")[1:])
        }
        found.append((said["name"], said.get("filename"), content))
    return found


async def test_pictures_are_asked_for_with_the_servers_own_fields_too():
    async with ScriptedUpstream(answering(PICTURES)) as upstream, Asking(upstream) as asking:
        content = await ask(asking, IMAGES, prompt="a cat", size="512x512", steps=4)
        assert (content.media_type, await content.json()) == ("application/json", PICTURES)
        sent = upstream.requests[0]
        assert sent.path == "/v1/images/generations"
        assert sent.body == {"model": "gpt-x", "prompt": "a cat", "size": "512x512", "steps": 4}


@pytest.mark.parametrize(
    "operation, request_, parts",
    [
        (
            IMAGE_EDITS,
            {"image": [PICTURE, PICTURE], "mask": MASK, "prompt": "a hat", "n": 2, "user": None},
            [
                ("image[]", "cat.png", PICTURE.content),
                ("image[]", "cat.png", PICTURE.content),
                ("mask", "mask.png", MASK.content),
                ("prompt", None, b"a hat"),
                ("n", None, b"2"),
            ],
        ),
        (IMAGE_VARIATIONS, {"image": PICTURE}, [("image", "cat.png", PICTURE.content)]),
    ],
    ids=["edits", "variations"],
)
async def test_pictures_go_out_as_a_form(operation, request_, parts):
    async with ScriptedUpstream(answering(PICTURES)) as upstream, Asking(upstream) as asking:
        content = await ask(asking, operation, **request_)
        assert await content.json() == PICTURES
        assert upstream.requests[0].path == f"/v1{operation.path}"
        assert parts_of(upstream.requests[0]) == [*parts, ("model", None, b"gpt-x")]


@pytest.mark.parametrize("operation", [TRANSCRIPTIONS, TRANSLATIONS], ids=lambda operation: operation.name)
async def test_a_recording_goes_out_as_a_form_and_its_text_comes_back_whole(operation):
    async with ScriptedUpstream(answering(HEARD)) as upstream, Asking(upstream, profile="generic") as asking:
        content = await ask(asking, operation, file=SOUND, response_format="verbose_json", temperature=0)
        assert await content.json() == HEARD
        assert upstream.requests[0].path == f"/v1{operation.path}"
        assert parts_of(upstream.requests[0]) == [
            ("file", "word.wav", SOUND.content),
            ("response_format", None, b"verbose_json"),
            ("temperature", None, b"0"),
            ("model", None, b"gpt-x"),
        ]


async def test_subtitles_come_back_as_the_text_that_they_are():
    async with (
        ScriptedUpstream(sending(b"WEBVTT\n", "text/vtt; charset=utf-8")) as upstream,
        Asking(upstream) as asking,
    ):
        content = await ask(asking, TRANSCRIPTIONS, file=SOUND, response_format="vtt")
        assert (content.media_type, await content.read()) == ("text/vtt; charset=utf-8", b"WEBVTT\n")


async def test_sound_comes_back_in_the_bytes_and_the_type_of_the_server():
    async with ScriptedUpstream(sending(b"\x00\xffnoise", "audio/mpeg")) as upstream, Asking(upstream) as asking:
        content = await ask(asking, SPEECH, input="Hi", voice="alloy")
        assert (content.media_type, await content.read()) == ("audio/mpeg", b"\x00\xffnoise")
        assert upstream.requests[0].body == {"model": "gpt-x", "input": "Hi", "voice": "alloy"}


EVENTS = (
    sse.encode({"type": "speech.audio.delta", "audio": 'the word "error"'}),
    sse.encode({"type": "speech.audio.done"}, event="done"),
)


async def test_a_stream_of_events_passes_through():
    async with ScriptedUpstream(streaming(b": ping\n\n", *EVENTS)) as upstream, Asking(upstream) as asking:
        content = await ask(asking, SPEECH, input="Hi", voice="alloy", stream_format="sse")
        assert content.is_stream
        assert await content.read() == b"".join(EVENTS)


async def test_an_error_as_the_first_event_is_an_error_and_no_answer():
    failed = sse.encode({"error": {"message": "no voice", "code": "model_not_found"}})
    async with ScriptedUpstream(streaming(failed)) as upstream, Asking(upstream) as asking:
        with pytest.raises(ModelNotFound, match="no voice"):
            await ask(asking, SPEECH, input="Hi")


async def test_an_error_among_the_events_ends_the_stream_with_the_servers_words():
    failed = sse.encode({"message": "the engine died"}, event="error")
    async with ScriptedUpstream(streaming(EVENTS[0], failed)) as upstream, Asking(upstream) as asking:
        content = await ask(asking, TRANSCRIPTIONS, file=SOUND, stream=True)
        with pytest.raises(UpstreamError, match="the engine died"):
            await content.read()


async def test_a_stream_that_holds_no_event_is_an_error():
    async with ScriptedUpstream(streaming(b": ping\n\n")) as upstream, Asking(upstream) as asking:
        with pytest.raises(UpstreamError, match="holds no event"):
            await ask(asking, SPEECH, input="Hi")


async def test_closing_a_stream_while_its_next_event_is_awaited_closes_the_connection_to_the_server():
    gone = asyncio.get_running_loop().create_future()

    async def endless(_: Asked, peer: Peer) -> None:
        await peer.stream(EVENTS[0], end=False)
        gone.set_result(await peer.gone())

    async with ScriptedUpstream(endless) as upstream, Asking(upstream) as asking:
        content = await ask(asking, SPEECH, input="Hi", stream_format="sse")
        pieces = content.pieces()
        assert await anext(pieces) == EVENTS[0]
        waiting = asyncio.create_task(anext(pieces))
        await asyncio.sleep(0)
        await content.aclose()
        assert await asyncio.wait_for(gone, 10)
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)
        await pieces.aclose()


@pytest.mark.parametrize(
    "operation, request_",
    [(IMAGES, {"prompt": "a cat"}), (TRANSCRIPTIONS, {"file": SOUND}), (SPEECH, {"input": "Hi"})],
    ids=["images", "transcriptions", "speech"],
)
async def test_an_error_in_a_200_is_an_error(operation, request_):
    failed = {"error": {"message": "too many", "type": "rate", "code": 429}}
    async with ScriptedUpstream(answering(failed)) as upstream, Asking(upstream) as asking:
        with pytest.raises(RateLimited, match="too many"):
            await ask(asking, operation, **request_)


@pytest.mark.parametrize(
    "operation, request_, script, told",
    [
        (IMAGES, {"prompt": "a cat"}, answering({"created": 1}), "holds no pictures"),
        (IMAGES, {"prompt": "a cat"}, sending(b"png", "image/png"), "holds no pictures: its type is image/png"),
        (SPEECH, {"input": "Hi"}, answering("<html>Welcome</html>"), "is a web page"),
    ],
    ids=["no pictures", "a picture itself", "a web page"],
)
async def test_what_cannot_be_the_answer_is_none(operation, request_, script, told):
    async with ScriptedUpstream(script) as upstream, Asking(upstream) as asking:
        with pytest.raises(UpstreamError, match=told):
            await ask(asking, operation, **request_)


async def test_where_the_server_has_no_such_operation_the_hint_says_so():
    async with ScriptedUpstream(answering({"detail": "Not Found"}, 404)) as upstream, Asking(upstream) as asking:
        with pytest.raises(UpstreamError, match="Not Found") as caught:
            await ask(asking, IMAGES, prompt="a cat")
        assert "this server cannot do images" in (caught.value.hint or "")


@pytest.mark.parametrize("encoding", ["float", "base64"])
async def test_vectors_come_back_as_the_server_sent_them(encoding):
    vector = [0.5, -1.0] if encoding == "float" else "AAAAPwAAgL8="
    answer = {"object": "list", "model": "m", "data": [{"object": "embedding", "index": 0, "embedding": vector}]}
    async with ScriptedUpstream(answering(answer)) as upstream, Asking(upstream) as asking:
        assert await ask(asking, EMBEDDINGS, input="Hi", encoding_format=encoding, dimensions=2) == answer
        sent = {"input": "Hi", "encoding_format": encoding, "dimensions": 2, "model": "gpt-x"}
        assert [asked.body for asked in upstream.requests if asked.method == "POST"] == [sent]


@pytest.mark.parametrize("inputs", [["Hi", {"image": "data:image/png;base64,AA=="}], {"image": "AA=="}])
async def test_pictures_pass_as_they_are_and_have_a_vector_each(inputs):
    count = len(inputs) if isinstance(inputs, list) else 1
    rows = [{"object": "embedding", "index": index, "embedding": [0.5]} for index in range(count)]
    answer = {"object": "list", "model": "m", "data": rows}
    async with ScriptedUpstream(answering(answer)) as upstream, Asking(upstream) as asking:
        assert await ask(asking, EMBEDDINGS, input=inputs) == answer
        assert [asked.body["input"] for asked in upstream.requests if asked.method == "POST"] == [inputs]


@pytest.mark.parametrize("encoding, vector", [("float", "[0.5, -1e-3]"), ("base64", '"AAAAPwAAgL8="')])
async def test_vectors_in_the_format_that_was_asked_for_pass_as_the_servers_bytes(encoding, vector):
    content = '{"data": [ {"index":0, "embedding": %s} ]}' % vector  # noqa: UP031 - braces all over
    async with ScriptedUpstream(answering(content)) as upstream, Asking(upstream) as asking:
        answer = await asking.provider.embed({"input": "a", "encoding_format": encoding}, asking.call())
        assert isinstance(answer, Unparsed)
        assert answer.content == content.encode()


@pytest.mark.parametrize(
    "wanted, came, given",
    [
        ("base64", [0.5, -1], "AAAAPwAAgL8="),
        ("float", "AAAAPwAAgL8=", [0.5, -1.0]),
        (None, "AAAAPwAAgL8=", [0.5, -1.0]),
    ],
)
async def test_vectors_of_a_server_that_has_one_format_only_come_in_the_one_that_was_asked_for(wanted, came, given):
    answer = {"object": "list", "model": "m", "data": [{"object": "embedding", "index": 0, "embedding": came}]}
    async with ScriptedUpstream(answering(answer)) as upstream, Asking(upstream) as asking:
        found = await ask(asking, EMBEDDINGS, input="Hi", encoding_format=wanted)
        assert found["data"] == [{"object": "embedding", "index": 0, "embedding": given}]


@pytest.mark.parametrize(
    "wanted, came",
    [
        *((wanted, came) for wanted in ("float", "base64") for came in (None, [], "", 1)),
        *(("float", came) for came in ("AAAAPw==AA", "AAA=", "#")),
        *(("base64", came) for came in ([[0.5]], ["a"], [None])),
    ],
)
async def test_a_vector_that_is_none_is_an_error(wanted, came):
    answer = {"object": "list", "data": [{"object": "embedding", "index": 0, "embedding": came}]}
    async with ScriptedUpstream(answering(answer)) as upstream, Asking(upstream) as asking:
        with pytest.raises(UpstreamError, match="a vector that is none"):
            await ask(asking, EMBEDDINGS, input="Hi", encoding_format=wanted)


async def test_embeddings_that_are_missing_are_an_error():
    half = {"object": "list", "data": [{"object": "embedding", "index": 0, "embedding": [0.5]}]}
    failed = {"error": {"message": "no such model", "code": "model_not_found"}}
    scripts = answering(half), answering({"object": "list"}), answering(failed), answering(half)
    async with ScriptedUpstream(*scripts) as upstream, Asking(upstream) as asking:
        with pytest.raises(UpstreamError, match="1 embeddings for 2 inputs"):
            await ask(asking, EMBEDDINGS, input=["a", ""])
        with pytest.raises(UpstreamError, match="0 embeddings for 1 inputs"):
            await ask(asking, EMBEDDINGS, input="a")
        with pytest.raises(ModelNotFound, match="no such model"):
            await ask(asking, EMBEDDINGS, input="a")
        assert await ask(asking, EMBEDDINGS, input=[1, 2, 3]) == half


async def test_documents_come_back_in_their_order():
    answer = ranked((2, 0.9), (0, 0.5), (1, -1.5))
    async with ScriptedUpstream(answering(answer)) as upstream, Asking(upstream) as asking:
        assert await ask(asking, RERANK, query="q", documents=DOCUMENTS) == answer
        assert upstream.requests[0].path == "/v1/rerank"
        assert upstream.requests[0].body == {"model": "gpt-x", "query": "q", "documents": DOCUMENTS}


async def test_a_server_that_ranks_all_documents_though_two_were_asked_for_has_its_answer_cut_to_the_best():
    async with (
        ScriptedUpstream(answering(ranked((0, 0.1), (1, 0.9), (2, 0.5)))) as upstream,
        Asking(upstream) as asking,
    ):
        answer = await ask(asking, RERANK, query="q", documents=DOCUMENTS, top_n=2)
        assert answer["results"] == ranked((1, 0.9), (2, 0.5))["results"]


async def test_scores_are_as_many_as_there_are_pairs():
    answer = {"object": "list", "data": [{"index": at, "object": "score", "score": 0.5} for at in range(2)]}
    async with ScriptedUpstream(answering(answer)) as upstream, Asking(upstream) as asking:
        assert await ask(asking, SCORE, text_1="q", text_2=["a", "b"]) == answer
        assert await ask(asking, SCORE, text_1=["q", "r"], text_2=["a", "b"]) == answer
        assert upstream.requests[0].path == "/v1/score"
        with pytest.raises(UpstreamError, match="2 scores for 1 pairs"):
            await ask(asking, SCORE, text_1="q", text_2="a")


async def test_texts_are_classified_and_names_found_in_them():
    classes = {"data": [{"index": 0, "label": "good", "probs": [0.25, 0.75], "num_classes": 2}]}
    name = {"label": "PER", "text": "Ada", "start": 0, "end": 3, "score": 0.9}
    names = {"data": [{"index": 0, "entities": [name]}, {"index": 1, "entities": []}]}
    async with ScriptedUpstream(models(), answering(classes), answering(names)) as upstream, Asking(upstream) as asking:
        assert await ask(asking, CLASSIFY, input="Fine.") == classes
        assert await ask(asking, NER, input=["Ada wrote it.", "It rains."]) == names
        assert [request.path for request in upstream.requests] == ["/v1/models", "/v1/classify", "/v1/ner"]


async def test_a_server_that_classifies_at_its_root_is_asked_there():
    classes = {"data": [{"index": 0, "label": "good", "probs": [0.25, 0.75]}]}
    failed = {"error": {"message": "no such model", "code": "model_not_found"}}
    scripts = models(owned_by="vllm"), answering(classes), answering(failed)
    async with ScriptedUpstream(*scripts) as upstream, Asking(upstream) as asking:
        assert await ask(asking, CLASSIFY, input="Fine.") == classes
        with pytest.raises(ModelNotFound, match="no such model"):
            await ask(asking, CLASSIFY, input="Fine.")
        assert [request.path for request in upstream.requests] == ["/v1/models", "/classify", "/classify"]


@pytest.mark.parametrize(
    "operation, answer, told",
    [
        (RERANK, {"data": []}, "0 results for 3 documents"),
        (RERANK, ranked((0, 1.0)), "1 results for 3 documents"),
        (RERANK, ranked((0, 1.0), (1, 0.5), (3, 0.1)), "`index` is no document"),
        (RERANK, ranked((0, 1.0), (0, 0.5), (1, 0.1)), "or one twice"),
        (RERANK, {"results": [{"index": at} for at in range(3)]}, "without a `relevance_score`"),
        (SCORE, {"data": [{"index": 0, "score": "high"}]}, "a score that is no number"),
        (SCORE, {"data": None}, "0 scores for 3 pairs"),
        (CLASSIFY, {"data": [{"index": 0, "label": "a", "probs": [1.0, 0.0]}]}, "1 classes for 2 texts"),
        (CLASSIFY, {"data": [{"index": 0, "label": "a", "probs": ["high"]}]}, "a class without `probs`"),
        (CLASSIFY, {"data": [{"index": 0, "label": "c", "probs": [1.0, 0.0]}] * 2}, "in place of `candidate_labels`"),
        (NER, {"data": [{"index": 0, "entities": []}]}, "1 lists of entities for 2 texts"),
        (NER, {"data": [{"index": 0, "entities": [{"entity_group": "PER"}]}]}, "an entity that is none"),
    ],
)
async def test_results_that_are_missing_or_wrong_are_an_error_that_says_what_came(
    operation: Operation, answer: Mapping[str, Any], told: str
):
    requests = {
        "rerank": {"query": "q", "documents": DOCUMENTS},
        "score": {"text_1": "q", "text_2": DOCUMENTS},
        "classify": {"input": ["one", "two"], "candidate_labels": ["a", "b"]},
        "ner": {"input": ["one", "two"]},
    }
    scripts = [models(), answering(answer)] if operation is CLASSIFY else [answering(answer)]
    async with ScriptedUpstream(*scripts) as upstream, Asking(upstream) as asking:
        with pytest.raises(UpstreamError, match=told) as caught:
            await ask(asking, operation, **requests[operation.name])
        assert "openai (model gpt-x)" in caught.value.message


@pytest.mark.parametrize(
    "operation, request_", [(RERANK, {"query": "q", "documents": ["a"]}), (IMAGES, {"prompt": "p"})]
)
async def test_plugins_that_build_on_it_ask_for_a_model_of_their_own(operation, request_):
    answer = ranked((0, 1.0)) if operation is RERANK else PICTURES
    async with ScriptedUpstream(answering(answer)) as upstream, Asking(upstream) as asking:
        asked = asking.provider.ask_value if operation is RERANK else asking.provider.ask_content
        await asked(operation, request_, asking.call(), "handle-1")
        assert json.loads(upstream.requests[0].content)["model"] == "handle-1"


async def test_what_the_server_says_of_its_limits_reaches_the_client():
    headers = {"x-ratelimit-remaining-requests": "7", "server": "acme"}
    busy = {"error": {"message": "slow down"}}
    scripts = answering(PICTURES, 200, headers), answering(busy, 429, headers)
    async with ScriptedUpstream(*scripts) as upstream, Asking(upstream) as asking:
        await ask(asking, IMAGES, prompt="a cat")
        assert asking.headers == {"x-ratelimit-remaining-requests": "7"}
        with pytest.raises(ProviderError) as caught:
            await ask(asking, IMAGES, prompt="a cat")
        assert caught.value.headers == {"x-ratelimit-remaining-requests": "7"}
