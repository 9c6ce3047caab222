"""Rerank, pictures and sound: what reaches the server, with which model loaded, and what comes back."""

from __future__ import annotations

import json

import pytest
from lemonade_answers import RECORDINGS
from lemonade_asking import Asking
from lemonade_media import PICTURE, SOUND
from lemonade_server import LemonadeServer, Model
from llamafarm import InvalidRequest, ModelNotFound, Upload, UpstreamError
from llamafarm_kit.testing import Exchange, ReplayUpstream, ScriptedUpstream

pytestmark = pytest.mark.anyio
LAKE = Upload("lake.png", b"\x89PNG", "image/png")
VOICE = Upload("voice.wav", b"RIFF", "audio/wav")
KINDS = {"ranker": "reranking", "painter": "image", "listener": "transcription", "speaker": "tts"}


@pytest.fixture
def server():
    return LemonadeServer(models={name: Model(kind) for name, kind in KINDS.items()})


@pytest.fixture
def asking(server):
    return lambda model, **more: _Asking(server, model, more)


class _Asking:
    def __init__(self, server: LemonadeServer, model: str, more: dict) -> None:
        self._upstream = ScriptedUpstream(server)
        self._fields = {"model": model, **more}

    async def __aenter__(self) -> Asking:
        await self._upstream.__aenter__()
        self._asking = Asking(self._upstream, **self._fields)
        return self._asking

    async def __aexit__(self, *exc: object) -> None:
        await self._asking.__aexit__(*exc)
        await self._upstream.__aexit__(*exc)


async def test_documents_come_best_first_though_the_server_sends_them_as_they_were_asked(asking):
    async with asking("ranker") as found:
        answer = await found.provider.rerank({"query": "a", "documents": ["b", "c", "d"], "top_n": 2}, found.call())
    assert [row["index"] for row in answer["results"]] == [2, 1]


async def test_the_model_of_a_rerank_is_loaded_with_the_entrys_settings(server, asking):
    async with asking("ranker", lemonade={"context_size": 512}) as found:
        await found.provider.rerank({"query": "a", "documents": ["b"]}, found.call())
    assert server.asked("/load") == [{"model_name": "ranker", "ctx_size": 512}]
    assert server.asked("/rerank")[0]["ctx_size"] == 512


async def test_a_picture_is_made_by_a_model_that_is_downloaded_first(server, asking):
    server.models["painter"].downloaded = False
    async with asking("painter") as found:
        content = await found.provider.generate_image({"prompt": "a lake", "size": "512x512"}, found.call())
        assert (await content.json())["data"] == [{"b64_json": PICTURE}]
    assert server.asked("/images/generations") == [{"prompt": "a lake", "size": "512x512", "model": "painter"}]
    assert [progress.stage for progress in found.told] == ["downloading"] * 3


async def test_a_picture_is_changed_as_a_form(server, asking):
    async with asking("painter") as found:
        fields = {"image": LAKE, "prompt": "at night", "n": 2, "mask": LAKE}
        content = await found.provider.edit_image(fields, found.call())
        assert len((await content.json())["data"]) == 2
    [sent] = server.asked("/images/edits")
    file = ("lake.png", b"\x89PNG")
    assert sent == {"image": file, "prompt": "at night", "n": "2", "mask": file, "model": "painter"}


async def test_several_pictures_to_be_changed_at_once_are_refused_before_the_server_drops_one(server, asking):
    async with asking("painter") as found:
        with pytest.raises(InvalidRequest, match="one picture at a time; 2 were given"):
            await found.provider.edit_image({"image": [LAKE, LAKE], "prompt": "at night"}, found.call())
    assert server.asked("/images/edits") == []


async def test_a_picture_is_varied_and_a_number_that_the_server_refuses_is_its_own_error(asking):
    async with asking("painter") as found:
        content = await found.provider.vary_image({"image": LAKE}, found.call())
        assert (await content.json())["data"] == [{"b64_json": PICTURE}]
        with pytest.raises(InvalidRequest, match="from 1 to 10"):
            await found.provider.vary_image({"image": LAKE, "n": 11}, found.call())


async def test_a_recording_is_written_down_and_an_error_inside_a_200_is_an_error(server, asking):
    async with asking("listener") as found:
        content = await found.provider.transcribe({"file": VOICE, "language": "en"}, found.call())
        assert await content.json() == {"text": server.text}
        with pytest.raises(UpstreamError, match="Empty audio data"):
            await found.provider.transcribe({"file": Upload("empty.wav", b"")}, found.call())
    assert server.asked("/audio/transcriptions")[0]["language"] == "en"


async def test_a_text_is_spoken_with_the_media_type_of_the_server(server, asking):
    async with asking("speaker") as found:
        content = await found.provider.speak({"input": "hello", "voice": "af_sky"}, found.call())
        assert (content.media_type, await content.read()) == ("audio/mpeg", SOUND)
    assert server.asked("/audio/speech") == [{"input": "hello", "voice": "af_sky", "model": "speaker"}]


async def test_what_this_machine_cannot_run_says_so(server, asking):
    server.models["painter"].supported = False
    async with asking("painter") as found:
        with pytest.raises(ModelNotFound, match="'painter' is not available on this system") as caught:
            await found.provider.generate_image({"prompt": "a lake"}, found.call())
    assert "does not run this model on this machine" in (caught.value.hint or "")


@pytest.mark.parametrize(
    "name, method, kind, words",
    [
        ("rerank-on-chat-model", "rerank", InvalidRequest, "does not support reranking"),
        ("images-missing-model", "generate_image", ModelNotFound, "not available on this system"),
        ("speech-missing-model", "speak", ModelNotFound, "not available on this system"),
    ],
)
async def test_the_recorded_refusals_are_errors_with_the_servers_words(name, method, kind, words):
    asked = json.loads((RECORDINGS / f"{name}.json").read_text(encoding="utf-8"))["request"]["json"]
    present = Exchange.load(RECORDINGS / "model-by-id.json")
    known = Exchange("GET", None, present.status, present.headers, present.pieces)
    async with (
        ReplayUpstream(Exchange.load(RECORDINGS / f"{name}.json"), known) as upstream,
        Asking(upstream, model=asked["model"]) as found,
    ):
        with pytest.raises(kind, match=words) as caught:
            await getattr(found.provider, method)(asked, found.call())
    assert caught.value.hint
