"""Pictures, sound, scores and classes: the official client works against our API, and every wrong field is named."""

from __future__ import annotations

import base64
import time

import httpx
import openai
import pytest
from llamafarm.errors import RateLimited, UpstreamError
from llamafarm.project import Project
from llamafarm.providers.content import Content
from llamafarm.providers.entry import ModelEntry
from llamafarm.wire import sse
from llamafarm.wire.upload import Upload
from llamafarm_kit.testing.scripted import ScriptedPlugins, ScriptedProvider

PICTURE = bytes(range(256)) * 8
ENCODED = base64.b64encode(PICTURE).decode()
PICTURES = {"created": 1, "data": [{"b64_json": ENCODED}], "usage": {"total_tokens": 3}}
FILE = ("cat.png", PICTURE, "image/png")
SOUND = ("talk.wav", PICTURE, "audio/wav")
BOUND = 20.0
old = pytest.mark.filterwarnings("ignore:deprecated:DeprecationWarning")
"""What the official client calls old, and other servers go on to serve."""


class Media(ScriptedProvider):
    """Answers what has no text to grow with what a test gives it; a content is made anew for each request."""

    def __init__(self, answer=None) -> None:
        super().__init__()
        self.answer = answer
        self.closed_contents = 0

    async def content(self, request, call):
        await self.value(request, call)
        if isinstance(self.answer, tuple):
            return Content(self.answer[0], self._pieces(self.answer[1:]), self._close)
        return Content.of_json(self.answer)

    generate_image = edit_image = vary_image = transcribe = translate = speak = content

    async def value(self, request, call):
        self._take(request, call)
        if isinstance(self.answer, Exception):
            raise self.answer
        call.headers["x-ratelimit-remaining-requests"] = "9"
        return self.answer

    rerank = score = classify = find_entities = value
    classify_sounds = classify_pictures = label_pictures = embed_pictures = detect_objects = value
    segment_pictures = estimate_depth = caption_pictures = value

    async def _pieces(self, pieces):
        for piece in pieces:
            if isinstance(piece, Exception):
                raise piece
            yield piece

    async def _close(self):
        self.closed_contents += 1


@pytest.fixture(scope="module")
def shop_provider() -> Media:
    """What stands behind `shop`."""
    return Media()


@pytest.fixture(scope="module")
def official(shop, shop_provider):
    """The official client; `official.provider` is what stands behind the server."""
    with openai.OpenAI(base_url=shop.url, api_key="none", max_retries=0, timeout=BOUND) as client:
        client.provider = shop_provider
        yield client


@pytest.fixture(scope="module")
def plain(shop):
    """A client that knows nothing of the wire."""
    with httpx.Client(base_url=shop.url, timeout=BOUND) as client:
        yield client


@pytest.fixture
def answering(official):
    """answering(answer) gives the official client of a server whose provider gives that answer.

    The answer is JSON, or a media type and its pieces, or an error.
    """

    def start(*answer):
        official.provider.answer = answer if len(answer) > 1 else answer[0]
        official.provider.requests.clear()
        return official

    return start


def asked(client: openai.OpenAI) -> dict:
    """The one request that has reached the provider, without its model."""
    [request] = client.provider.requests
    assert request.pop("model") == "scripted-small"
    return request


def error(answer: httpx.Response) -> dict:
    return answer.json()["error"]


# Pictures


def test_a_picture_is_made_of_a_text(answering):
    client = answering(PICTURES)
    answer = client.images.generate(model="small", prompt="A cat.", n=1, size="256x256", extra_body={"steps": 20})
    assert base64.b64decode(answer.data[0].b64_json) == PICTURE
    assert asked(client) == {"prompt": "A cat.", "n": 1, "size": "256x256", "steps": 20}


def test_a_picture_is_edited_with_a_mask(answering):
    client = answering(PICTURES)
    answer = client.images.edit(
        model="small", image=FILE, mask=("mask.png", b"mask", "image/png"), prompt="A dog.", n=2
    )
    assert base64.b64decode(answer.data[0].b64_json) == PICTURE
    assert asked(client) == {
        "image": Upload(*FILE),
        "mask": Upload("mask.png", b"mask", "image/png"),
        "prompt": "A dog.",
        "n": 2,
    }


@pytest.mark.parametrize("count", [1, 2, 16])
def test_several_pictures_are_edited_into_one(answering, count):
    client = answering(PICTURES)
    client.images.edit(model="small", image=[FILE] * count, prompt="One of them all.")
    assert asked(client)["image"] == [Upload(*FILE)] * count


def test_an_object_travels_in_a_form_as_it_does_in_json(answering):
    client = answering(PICTURES)
    svg = {"model": "writer", "reasoning": {"effort": "low"}}
    client.images.edit(model="small", image=FILE, prompt="A dog.", output_format="svg", svg=svg)
    assert asked(client)["svg"] == svg
    client = answering(PICTURES)
    client.images.generate(model="small", prompt="A dog.", output_format="svg", svg=svg)
    assert asked(client)["svg"] == svg


@old
def test_a_picture_is_varied(answering):
    client = answering(PICTURES)
    answer = client.images.create_variation(model="small", image=FILE, response_format="b64_json")
    assert answer.data[0].b64_json == ENCODED
    assert asked(client) == {"image": Upload(*FILE), "response_format": "b64_json"}


def picture_event(kind: str, **fields) -> bytes:
    return sse.encode(
        {"type": f"image_generation.{kind}", "b64_json": ENCODED, **fields}, event=f"image_generation.{kind}"
    )


EVENTS = "text/event-stream"


def test_a_picture_comes_as_it_is_made(answering):
    client = answering(EVENTS, picture_event("partial_image", partial_image_index=0), picture_event("completed"))
    stream = client.images.generate(model="small", prompt="A cat.", partial_images=1, stream=True)
    assert [event.type for event in stream] == ["image_generation.partial_image", "image_generation.completed"]
    assert asked(client) == {"prompt": "A cat.", "partial_images": 1, "stream": True}


def test_an_edited_picture_comes_as_it_is_made(answering):
    client = answering(EVENTS, picture_event("completed"))
    stream = client.images.edit(model="small", image=FILE, prompt="A dog.", partial_images=0, stream=True)
    assert [event.b64_json for event in stream] == [ENCODED]
    assert asked(client)["stream"] is True


@pytest.mark.parametrize("failure", [
    UpstreamError("out of memory"), b'data: {"error": {"message": "out of memory"}}\n\n',
], ids=["raised", "the runtime's own event"])  # fmt: skip
def test_an_error_in_the_middle_of_a_stream_reaches_the_client_as_one(answering, failure):
    client = answering(EVENTS, picture_event("partial_image", partial_image_index=0), failure)
    stream = client.images.generate(model="small", prompt="A cat.", partial_images=1, stream=True)
    with pytest.raises(openai.APIError, match="out of memory"):
        list(stream)


# Sight


@pytest.mark.parametrize("path", ["vision/detect", "vision/caption", "audio/classify"])
def test_a_form_with_files_stands_for_the_json_of_what_looks_and_listens(answering, plain, path):
    client = answering({"object": "list", "data": []})
    files = [("file", FILE), ("file", ("b", b"b", "image/webp")), ("input", (None, "https://farm.example.com/a.png"))]
    assert plain.post(f"/{path}", files=[("model", (None, "small")), *files]).status_code == 200
    urls = [f"data:image/png;base64,{ENCODED}", "data:image/webp;base64,Yg=="]
    assert asked(client) == {"input": ["https://farm.example.com/a.png", *urls]}


def test_the_other_fields_of_such_a_form_are_read_as_of_any_form(answering, plain):
    client = answering({"object": "list", "data": []})
    fields = {"model": "small", "candidate_labels": "cow", "threshold": "0.5"}
    answer = plain.post("/vision/detect", data=fields, files={"file": FILE})
    assert answer.status_code == 200, answer.text
    assert asked(client)["candidate_labels"] == ["cow"]
    refused = plain.post("/vision/detect", data={"threshold": "high"}, files={"file": FILE})
    assert (refused.status_code, error(refused)["param"]) == (400, "threshold")
    missing = plain.post("/vision/detect", files={"model": (None, "small")})
    assert (missing.status_code, error(missing)["param"]) == (400, "input")


# Sound


def test_a_recording_is_written_down(answering):
    client = answering({"text": "Hello."})
    answer = client.audio.transcriptions.create(
        model="small", file=SOUND, language="en", temperature=0.25, timestamp_granularities=["word", "segment"]
    )
    assert answer.text == "Hello."
    assert asked(client) == {
        "file": Upload(*SOUND),
        "language": "en",
        "temperature": 0.25,
        "timestamp_granularities": ["word", "segment"],
    }


def test_what_a_recording_is_split_by_is_a_word_or_an_object(answering):
    strategy = {"type": "server_vad", "threshold": 0.5, "silence_duration_ms": 200}
    for given in ("auto", strategy):
        client = answering({"text": "Hello."})
        client.audio.transcriptions.create(model="small", file=SOUND, chunking_strategy=given, keywords=["farm"])
        assert asked(client) == {"file": Upload(*SOUND), "chunking_strategy": given, "keywords": ["farm"]}


@pytest.mark.parametrize(("format_", "media_type", "text"), [
    ("text", "text/plain; charset=utf-8", "Hello.\n"), ("srt", "text/plain", "1\n00:00:00,000 --> 00:00:01,000\nHé.\n"),
    ("vtt", "text/vtt", "WEBVTT\n\n00:00.000 --> 00:01.000\nHello.\n"),
])  # fmt: skip
def test_a_text_format_comes_as_the_runtime_wrote_it(answering, format_, media_type, text):
    client = answering(media_type, text.encode())
    answer = client.audio.transcriptions.with_raw_response.create(model="small", file=SOUND, response_format=format_)
    assert (answer.text, answer.headers["content-type"]) == (text, media_type)
    assert asked(client)["response_format"] == format_


def test_a_verbose_transcription_keeps_all_that_the_runtime_says(answering):
    segment = {"id": 0, "start": 0.0, "end": 1.0, "text": "Hello.", "avg_logprob": -0.1, "own": 1}
    client = answering({"text": "Hello.", "language": "english", "duration": 1.0, "segments": [segment]})
    answer = client.audio.transcriptions.create(model="small", file=SOUND, response_format="verbose_json")
    assert (answer.language, answer.duration, answer.segments[0].own) == ("english", 1.0, 1)


def test_a_transcription_comes_as_it_is_heard(answering):
    events = [{"type": "transcript.text.delta", "delta": "Hel"}, {"type": "transcript.text.done", "text": "Hello."}]
    client = answering(EVENTS, *map(sse.encode, events), sse.DONE)
    stream = client.audio.transcriptions.create(model="small", file=SOUND, stream=True)
    assert [event.type for event in stream] == ["transcript.text.delta", "transcript.text.done"]
    assert asked(client)["stream"] is True


@old
def test_a_recording_is_translated(answering):
    client = answering({"text": "Hello."})
    assert client.audio.translations.create(model="small", file=SOUND, prompt="Friendly.").text == "Hello."
    assert asked(client) == {"file": Upload(*SOUND), "prompt": "Friendly."}


def test_a_text_is_spoken(answering, until_closed):
    client = answering("audio/wav", PICTURE, PICTURE)
    speech = client.audio.speech.with_streaming_response
    with speech.create(model="small", input="Hello.", voice="alloy", response_format="wav") as answer:
        assert answer.headers["content-type"] == "audio/wav"
        assert b"".join(answer.iter_bytes()) == PICTURE + PICTURE
    assert asked(client) == {"input": "Hello.", "voice": "alloy", "response_format": "wav"}
    until_closed()


def test_speech_may_come_as_events(answering):
    events = [sse.encode({"type": "speech.audio.delta", "audio": ENCODED}), sse.encode({"type": "speech.audio.done"})]
    client = answering(EVENTS, *events)
    speech = client.audio.speech.with_streaming_response
    with speech.create(model="small", input="Hello.", voice="alloy", stream_format="sse") as answer:
        assert b"".join(answer.iter_bytes()) == b"".join(events)
    assert asked(client)["stream_format"] == "sse"


def test_speech_that_breaks_off_is_an_error_and_no_shorter_sound(answering, until_closed):
    client = answering("audio/wav", PICTURE, UpstreamError("out of memory"))
    with pytest.raises(openai.APIError):
        client.audio.speech.create(model="small", input="Hello.", voice="alloy").read()
    until_closed()


@pytest.fixture
def until_closed(shop_provider):
    """Waits until what the server held of an answer is closed."""
    before = shop_provider.closed_contents

    def wait():
        end = time.monotonic() + BOUND
        while shop_provider.closed_contents == before:
            assert time.monotonic() < end, "the content is still open"
            time.sleep(0.005)

    return wait


# Scores and classes


RANKED = {"model": "m", "results": [{"index": 1, "relevance_score": 0.9}, {"index": 0, "relevance_score": 0.1}]}
SCORES = {"object": "list", "data": [{"index": 0, "object": "score", "score": 0.5}], "model": "m"}
CLASSES = {"data": [{"index": 0, "label": "good", "probs": [0.9, 0.1], "labels": ["good", "bad"]}], "model": "m"}
NAME = {"label": "PER", "text": "Ada", "start": 0, "end": 3, "score": 0.9}
SEEN = {"data": [{"index": 0, "width": 2, "height": 1, "objects": []}], "model": "m"}
NAMES = {"data": [{"index": 0, "entities": [NAME]}], "model": "m"}


@pytest.mark.parametrize(("path", "request_", "answer"), [
    ("/rerank", {"query": "Who?", "documents": ["You.", {"text": "I."}], "top_n": 2}, RANKED),
    ("/score", {"text_1": "Who?", "text_2": ["You."], "truncate_prompt_tokens": 8}, SCORES),
    ("/classify", {"input": ["Fine."], "candidate_labels": ["good", "bad"], "multi_label": False}, CLASSES),
    ("/ner", {"input": "Ada wrote it.", "aggregation_strategy": "max"}, NAMES),
    ("/vision/detect", {"input": ["data:,", {"image": "aGk="}], "candidate_labels": ["cow"], "threshold": 0.3}, SEEN),
])  # fmt: skip
def test_texts_are_compared_and_classified(answering, plain, path, request_, answer):
    client = answering(answer)
    found = plain.post(path, json={"model": "small", **request_})
    assert (found.status_code, found.json()) == (200, answer)
    assert asked(client) == request_


# What holds for all


SIGHT = ("classify", "zero-shot", "features", "detect", "segment", "depth", "caption")
FORMS = {
    "/images/edits": {"image": FILE, "prompt": (None, "A dog.")},
    "/images/variations": {"image": FILE},
    "/audio/transcriptions": {"file": SOUND},
    "/audio/translations": {"file": SOUND},
}
BODIES = {
    "/images/generations": {"prompt": "A cat."},
    "/audio/speech": {"input": "Hello."},
    "/rerank": {"query": "Who?", "documents": ["You."]},
    "/score": {"text_1": "Who?", "text_2": "You."},
    "/classify": {"input": "Fine."},
    "/ner": {"input": ["Ada wrote it."]},
    "/audio/classify": {"input": "data:,"},
    **{f"/vision/{name}": {"input": "data:,"} for name in SIGHT},
}


def post(client: httpx.Client, path: str, **changes) -> httpx.Response:
    """Ask with the smallest request. changes: fields that are set, or left out where they are an ellipsis."""
    smallest = {**FORMS, **BODIES}[path]
    fields = {name: value for name, value in {**smallest, **changes}.items() if value is not ...}
    if path in BODIES:
        return client.post(path, json=fields)
    many = [(name, one) for name, value in fields.items() for one in (value if isinstance(value, list) else [value])]
    return client.post(path, files=[(name, _part(one)) for name, one in many])


def _part(value):
    return value if isinstance(value, tuple) else (None, value)


@pytest.mark.parametrize("path", [*FORMS, *BODIES])
def test_the_smallest_request_is_answered_and_the_runtimes_limits_are_told(answering, plain, path):
    answering({"text": "Hello."})
    answer = post(plain, path)
    assert (answer.status_code, answer.json()) == (200, {"text": "Hello."})
    assert answer.headers["x-ratelimit-remaining-requests"] == "9"


@pytest.mark.parametrize(
    ("path", "field"),
    [(path, field) for path, smallest in {**FORMS, **BODIES}.items() for field in smallest],
)
def test_a_field_that_is_missing_is_named(plain, path, field):
    rest = {"user": "me"} if path in FORMS else {}
    answer = post(plain, path, **{field: ..., **rest})
    assert (answer.status_code, error(answer)["code"]) == (400, "missing_required_parameter")
    assert (error(answer)["param"], error(answer)["message"]) == (field, f"The field {field!r} is missing.")


WRONG = {
    "/images/generations": {
        "prompt": ["a", "b"], "n": 0, "size": 512, "response_format": "png", "stream": "yes", "output_compression": -1,
        "partial_images": 1.5, "svg": "small", "frame_count": "two", "model": 3,
    },
    "/images/edits": {
        "image": "no file", "prompt": FILE, "mask": "no file", "markup": ("empty.png", b"", "image/png"), "n": "2.0",
        "stream": "yes", "response_format": "png", "output_compression": "much", "svg": "small",
    },
    "/images/variations": {"image": [FILE, FILE], "n": "two", "size": FILE, "response_format": "png"},
    "/audio/transcriptions": {
        "file": ("empty.wav", b"", "audio/wav"), "temperature": "warm", "stream": "perhaps", "language": SOUND,
        "timestamp_granularities[]": SOUND, "model": SOUND,
    },
    "/audio/translations": {"file": "no file", "temperature": "nan", "prompt": SOUND},
    "/audio/speech": {"input": ["a"], "voice": 3, "speed": "fast", "stream_format": "wav", "response_format": {}},
    "/audio/classify": {"input": [1], "top_n": 0},
    "/rerank": {"query": ["a"], "documents": "You.", "top_n": 0, "return_documents": "yes"},
    "/score": {"text_1": 1, "text_2": [1]},
    "/classify": {
        "input": [], "candidate_labels": "good", "hypothesis_template": 1, "multi_label": "no", "use_activation": 0,
    },
    "/ner": {"input": [1], "aggregation_strategy": "last"},
    "/vision/classify": {"input": [1], "top_n": 0},
    "/vision/zero-shot": {"input": [], "candidate_labels": "cat", "hypothesis_template": 1},
    "/vision/features": {"input": 1, "per_patch": "yes", "encoding_format": "png"},
    "/vision/detect": {"input": [["a"]], "candidate_labels": [], "threshold": 1.5},
    "/vision/segment": {"input": 1, "kind": "fine", "threshold": "high"},
    "/vision/depth": {"input": 1},
    "/vision/caption": {"input": 1, "prompt": ["a"], "max_tokens": 0},
}  # fmt: skip


@pytest.mark.parametrize(("path", "field"), [(path, field) for path, fields in WRONG.items() for field in fields])
def test_a_wrong_field_is_named_before_anybody_is_asked(answering, plain, path, field):
    client = answering({})
    answer = post(plain, path, **{field: WRONG[path][field]})
    assert answer.status_code == 400, answer.text
    assert (error(answer)["param"], error(answer)["code"]) == (field.removesuffix("[]"), "invalid_value")
    assert repr(field.removesuffix("[]")) in error(answer)["message"]
    assert not client.provider.requests


@pytest.mark.parametrize(
    ("path", "field", "value"),
    [
        ("/images/edits", "n", ["1", "2"]),
        ("/images/edits", "prompt", ["a", "b"]),
        ("/images/edits", "prompt[]", "a"),
        ("/audio/transcriptions", "file", [SOUND, SOUND]),
        ("/audio/transcriptions", "chunking_strategy[type]", ["a", "b"]),
    ],
)
def test_what_a_form_says_twice_is_named(plain, path, field, value):
    answer = post(plain, path, **{field: value})
    assert answer.status_code == 400, answer.text
    assert error(answer)["param"] == field.partition("[")[0]


@pytest.mark.parametrize("path", FORMS)
def test_a_form_is_told_that_json_carries_no_files(plain, path):
    answer = plain.post(path, json={"prompt": "A dog."})
    assert (answer.status_code, error(answer)["code"]) == (415, "unsupported_media_type")


@pytest.mark.parametrize("path", [*FORMS, *BODIES])
def test_a_refusal_of_the_runtime_keeps_its_status_its_limits_and_when_to_come_back(answering, plain, path):
    refused = RateLimited("slow down", retry_after=3)
    refused.headers["x-ratelimit-remaining-requests"] = "0"
    answering(refused)
    answer = post(plain, path)
    assert (answer.status_code, error(answer)["message"]) == (429, "slow down")
    assert (answer.headers["retry-after"], answer.headers["x-ratelimit-remaining-requests"]) == ("3", "0")


@pytest.mark.parametrize("path", [*FORMS, *BODIES])
def test_a_session_keeps_chats_alone(plain, path):
    body = {"files": FORMS[path]} if path in FORMS else {"json": BODIES[path]}
    answer = plain.post(path, **body, headers={"X-Session-ID": "new"})
    assert (answer.status_code, error(answer)["param"]) == (400, "X-Session-ID")


def test_a_provider_that_cannot_do_it_is_a_501_that_names_who_can(serve):
    entries = (
        ModelEntry(name="talker", provider="talks", model="t"),
        ModelEntry(name="painter", provider="paints", model="p"),
    )
    plugins = ScriptedPlugins(providers={"talks": ScriptedProvider(), "paints": Media({})})
    server = serve(plugins=plugins, project=Project("shop", "default", None, entries))
    with httpx.Client(base_url=server.url, timeout=BOUND) as client:
        answers = {path: post(client, path, model="talker") for path in (*FORMS, *BODIES)}
    for path, answer in answers.items():
        assert (answer.status_code, error(answer)["param"]) == (501, "model"), path
        assert error(answer)["message"].endswith("\nModels of this project that can: painter."), path
        assert "The provider 'talks' cannot do " in error(answer)["message"], path
