"""Recordings, written down over HTTP: every format, streamed, and what is refused. The model's weights are random."""

from __future__ import annotations

import io
import json
import re

import httpx
import openai
import pytest
from audio_models import noise, wav_of
from runtime_servers import BOUND, wait_until

TRANSCRIPTIONS, TRANSLATIONS = "/v1/audio/transcriptions", "/v1/audio/translations"
RECORDING = wav_of(noise(5))
ONE_ATTEMPT = {"temperature": 1e-3}
"""Random weights are never sure of a text, so that others would be tried behind the first."""


@pytest.fixture(scope="session")
def ask(real, models):
    """Send a form; a list is one part for each item."""

    def post(path=TRANSCRIPTIONS, *, file=("noise.wav", RECORDING), **fields):
        form = {"model": str(models["whisper"]), **ONE_ATTEMPT, **fields}
        form = {(f"{name}[]" if isinstance(value, list) else name): value for name, value in form.items()}
        files = {"file": file} if file else {"prompt": (None, "")}
        return httpx.post(f"{real.url}{path}", data=form, files=files, timeout=BOUND)

    return post


@pytest.fixture(scope="session")
def told(ask):
    answer = ask(response_format="verbose_json", language="en")
    assert answer.status_code == 200, answer.text
    return answer.json()


@pytest.fixture(scope="session")
def client(real):
    return openai.OpenAI(base_url=f"{real.url}/v1", api_key="none", timeout=BOUND, max_retries=0)


def test_everything_is_told_in_openais_shape(told):
    assert (told["task"], told["language"], told["duration"]) == ("transcribe", "english", 5.0)
    assert told["usage"] == {"type": "duration", "seconds": 5}
    assert told["text"] == "".join(segment["text"] for segment in told["segments"]).lstrip()
    first = told["segments"][0]
    assert first["id"] == 0
    assert first["seek"] == round(first["start"] * 100)
    assert first.keys() == {
        "id", "seek", "start", "end", "text", "tokens", "temperature", "avg_logprob", "compression_ratio",
        "no_speech_prob",
    }  # fmt: skip


def test_json_is_the_text_alone(ask, told):
    assert ask(language="en").json() == {"text": told["text"], "usage": told["usage"]}


def test_text_is_plain(ask, told):
    answer = ask(language="English", response_format="text")
    assert answer.headers["content-type"] == "text/plain; charset=utf-8"
    assert answer.text == told["text"] + "\n"


def test_subtitles_have_a_cue_for_each_segment(ask, told):
    srt, vtt = (ask(language="en", response_format=form).text for form in ("srt", "vtt"))
    assert re.findall(r"^\d+$", srt, re.MULTILINE)[: len(told["segments"])]
    assert srt.startswith("1\n00:00:0")
    assert srt.count(" --> ") == vtt.count(" --> ") == len(told["segments"])
    assert vtt.startswith("WEBVTT\n\n00:00:0")


def test_openais_client_reads_answers(client, models, told):
    whole = client.audio.transcriptions.create(
        model=str(models["whisper"]),
        file=io.BytesIO(RECORDING),
        language="en",
        response_format="verbose_json",
        timestamp_granularities=["segment"],
        **ONE_ATTEMPT,
    )
    assert whole.text == told["text"]
    assert [segment.end for segment in whole.segments] == [segment["end"] for segment in told["segments"]]
    with pytest.deprecated_call():  # by OpenAI
        translated = client.audio.translations.create(
            model=str(models["whisper"]), file=io.BytesIO(RECORDING), **ONE_ATTEMPT
        )
    assert translated.text


def test_openais_client_reads_a_stream(client, models, told):
    stream = client.audio.transcriptions.create(
        model=str(models["whisper"]), file=io.BytesIO(RECORDING), language="en", stream=True, **ONE_ATTEMPT
    )
    *deltas, done = list(stream)
    assert {delta.type for delta in deltas} == {"transcript.text.delta"}
    assert "".join(delta.delta for delta in deltas) == told["text"]
    assert (done.type, done.text) == ("transcript.text.done", told["text"])
    assert done.usage.seconds == 5


def test_a_translation_is_another_text(ask, told):
    answer = ask(TRANSLATIONS, response_format="verbose_json")
    assert answer.json()["task"] == "translate"
    assert answer.json()["text"] != told["text"]


@pytest.mark.parametrize(
    ("fields", "status", "message"),
    [
        ({"file": None}, 400, "'file' is missing"),
        ({"file": (None, "text")}, 400, "'file' must be a file, not 'text'"),
        ({"file": ("a.wav", b"hello")}, 400, "The file is no sound"),
        ({"file": ("a.wav", RECORDING[:10000])}, 400, "The sound breaks off"),
        ({"language": "xx"}, 400, "does not know the language 'xx'"),
        ({"response_format": "diarized_json"}, 400, "'response_format' must be one of 'json'"),
        ({"temperature": "hot"}, 400, "'temperature' must be a number from 0 to 1"),
        ({"temperature": "2"}, 400, "'temperature' must be a number from 0 to 1"),
        ({"timestamp_granularities": ["letter"]}, 400, "must be one of 'segment', 'word'"),
        ({"timestamp_granularities": ["word"]}, 400, "Only 'verbose_json' tells times"),
        ({"stream": "true", "response_format": "srt"}, 400, "cannot be streamed"),
        ({"include": ["logprobs"]}, 400, "'include' is not supported here"),
        ({"languages": ["de", "en"]}, 400, "'languages' is not supported here"),
        ({"langauge": "de"}, 400, "Did you mean 'language'?"),
    ],
)
def test_what_is_wrong_is_refused_with_a_reason(ask, fields, status, message):
    answer = ask(**fields)
    assert answer.status_code == status, answer.text
    error = answer.json()["error"]
    assert message in f"{error['message']} {error.get('hint', '')}"


def test_what_has_no_effect_is_named(ask):
    assert ask(chunking_strategy="auto").headers["x-lf-ignored"] == "chunking_strategy"


def test_another_kind_of_model_says_what_it_can(ask, models):
    answer = ask(model=str(models["classifier"]))
    assert answer.status_code == 400
    assert "it cannot do `audio/transcriptions`, only `classify`" in answer.json()["error"]["message"]


def test_nothing_stays_in_the_spool(ask, real, data_folder):
    assert ask(stream="true").status_code == 200
    spool = data_folder / "spool"
    wait_until(lambda: not [*spool.glob("*/req_*")], "the folders of all requests are gone")


@pytest.mark.parametrize("model", ["ctc", "whisper"])
def test_times_of_words_are_told(ask, models, model):
    temperature = {"temperature": 0} if model == "ctc" else {}
    fields = {"model": str(models[model]), "response_format": "verbose_json", **temperature}
    told = ask(timestamp_granularities=["word"], **fields).json()
    assert told["words"]
    assert told["words"][0].keys() == {"word", "start", "end"}
    assert "segments" not in told
    both = ask(timestamp_granularities=["word", "segment"], **fields).json()
    assert (both["words"], bool(both["segments"])) == (told["words"], True)


def test_json_is_no_form(real, models):
    answer = httpx.post(f"{real.url}{TRANSCRIPTIONS}", json={"model": str(models["whisper"])}, timeout=BOUND)
    assert answer.status_code == 415
    assert "multipart/form-data" in json.dumps(answer.json())


def test_ten_minutes_come_whole_and_streamed_alike(ask, models):
    """By a model of CTC, whose small ones are quick."""
    long = {"model": str(models["ctc"]), "file": ("noise.wav", wav_of(noise(600))), "temperature": 0}
    whole = ask(**long, response_format="verbose_json")
    assert whole.status_code == 200, whole.text
    streamed = ask(**long, stream="true").text
    told = [json.loads(line.removeprefix("data: ")) for line in streamed.splitlines() if line.startswith("data: ")]
    assert "".join(each["delta"] for each in told[:-1]) == told[-1]["text"] == whole.json()["text"]
    assert told[-1]["usage"] == {"type": "duration", "seconds": 600}
    assert whole.json()["segments"][-1]["end"] > 590
