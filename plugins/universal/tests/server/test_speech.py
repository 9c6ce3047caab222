"""Texts, spoken over HTTP: every format, streamed, and what is refused. The model's weights are random."""

from __future__ import annotations

import base64
import io
import json
import wave

import av
import httpx
import numpy as np
import openai
import pytest
from runtime_servers import BOUND

TEXT = "The cows are in the barn. So is the llama."


@pytest.fixture(scope="session")
def ask(real, models):
    def post(**fields):
        body = {"model": str(models["vits"]), "input": TEXT, **fields}
        return httpx.post(f"{real.url}/v1/audio/speech", json=body, timeout=BOUND)

    return post


@pytest.fixture(scope="session")
def spoken(ask):
    """The samples of the text, of 16 bits."""
    answer = ask(response_format="wav")
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "audio/wav"
    with wave.open(io.BytesIO(answer.content)) as sound:
        assert (sound.getnchannels(), sound.getsampwidth(), sound.getframerate()) == (1, 2, 16_000)
        return np.frombuffer(sound.readframes(sound.getnframes()), "<i2")


def decoded(content):
    """The format, the rate and the samples of a file."""
    with av.open(io.BytesIO(content)) as container:
        frames = [frame.to_ndarray() for frame in container.decode(audio=0)]
        stream = container.streams.audio[0]
        return container.format.name, stream.sample_rate, np.concatenate([frame.reshape(-1) for frame in frames])


@pytest.mark.parametrize(
    ("form", "media_type", "container", "rate"),
    [
        ("mp3", "audio/mpeg", "mp3", 16_000),
        ("opus", "audio/ogg", "ogg", 48_000),
        ("aac", "audio/aac", "aac", 16_000),
        ("flac", "audio/flac", "flac", 16_000),
    ],
)
def test_each_format_holds_the_whole_text(ask, spoken, form, media_type, container, rate):
    answer = ask(response_format=form)
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == media_type
    name, found, samples = decoded(answer.content)
    assert (name, found) == (container, rate)
    seconds, wanted = len(samples) / found, len(spoken) / 16_000
    assert wanted - 0.01 <= seconds <= wanted + 0.25  # coders fill up their last frames
    if form == "flac":
        assert np.array_equal(samples, spoken)


def test_pcm_is_of_openais_rate(ask, spoken):
    samples = np.frombuffer(ask(response_format="pcm").content, "<i2")
    assert len(samples) / 24_000 == pytest.approx(len(spoken) / 16_000, abs=0.01)


def test_mp3_is_what_nobody_has_to_ask_for(ask):
    assert ask().headers["content-type"] == "audio/mpeg"


def test_a_wav_that_grows_has_the_same_samples(ask, spoken):
    content = ask(response_format="wav", stream_format="audio").content
    assert content[:4] == b"RIFF"
    assert content[4:8] == content[40:44] == b"\xff" * 4
    assert np.array_equal(np.frombuffer(content[44:], "<i2"), spoken)


def test_events_hold_the_same_sound(ask, spoken):
    answer = ask(response_format="wav", stream_format="sse")
    events = [json.loads(line.removeprefix("data: ")) for line in answer.text.splitlines() if line.startswith("data")]
    *deltas, done = events
    content = b"".join(base64.b64decode(delta["audio"]) for delta in deltas)
    assert {delta["type"] for delta in deltas} == {"speech.audio.delta"}
    assert done["type"] == "speech.audio.done"
    assert np.array_equal(np.frombuffer(content[44:], "<i2"), spoken)


def test_openais_client_writes_a_file(real, models, tmp_path, spoken):
    client = openai.OpenAI(base_url=f"{real.url}/v1", api_key="none", timeout=BOUND, max_retries=0)
    path = tmp_path / "speech.flac"
    asked = {"model": str(models["vits"]), "voice": "default", "input": TEXT, "response_format": "flac"}
    with client.audio.speech.with_streaming_response.create(**asked) as answer:
        answer.stream_to_file(path)
    assert np.array_equal(decoded(path.read_bytes())[2], spoken)


def test_speed_and_seed_count(ask, spoken):
    slow = ask(response_format="pcm", speed=0.5).content
    assert len(slow) > 1.5 * len(ask(response_format="pcm").content)
    assert ask(response_format="flac", seed=5).content != ask(response_format="flac").content


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"input": ""}, "'input' must be a text of 1 to 20,000 characters"),
        ({"input": "a" * 20_001}, "'input' must be a text of 1 to 20,000 characters"),
        ({"input": " \n "}, "There is nothing to speak"),
        ({"input": "123"}, "There is nothing to speak"),
        ({"input": "\U0001f600\u200b"}, "There is nothing to speak"),
        ({"input": " <speak>Hello <break/></speak>"}, "is SSML"),
        ({"voice": "alloy"}, "has no voice 'alloy'"),
        ({"voice": {"id": "alloy"}}, "has no voice 'alloy'"),
        ({"speed": 9}, "'speed' must be a number from 0.25 to 4"),
        ({"response_format": "midi"}, "'response_format' must be one of"),
        ({"instructions": "Whisper."}, "'instructions' is not supported here"),
    ],
)
def test_what_is_wrong_is_refused_with_a_reason(ask, fields, message):
    answer = ask(**fields)
    assert answer.status_code == 400, answer.text
    assert message in answer.json()["error"]["message"]


def test_a_model_that_hears_does_not_speak(ask, models):
    answer = ask(model=str(models["ctc"]))
    assert answer.status_code == 400
    assert "it cannot do `audio/speech`, only `audio/transcriptions`" in answer.json()["error"]["message"]


def test_a_voice_of_the_models_folder_speaks(ask, models):
    made = {"model": str(models["speecht5"]), "input": "the lazy dog. a quick fox.", "response_format": "wav"}
    default, bella, bo = (ask(**made, **fields) for fields in ({}, {"voice": "bella"}, {"voice": "bo"}))
    assert default.status_code == 200, default.text
    assert default.content == bella.content != bo.content
    refused = ask(**made, speed=2)
    assert refused.status_code == 400
    assert refused.json()["error"]["param"] == "speed"
