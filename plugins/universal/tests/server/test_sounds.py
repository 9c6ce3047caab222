"""Recordings sorted into classes over HTTP: the shapes of requests and answers, scripted, and a real model."""

from __future__ import annotations

import base64
import os

import httpx
import pytest
from audio_models import noise, wav_of
from runtime_servers import BOUND, wait_until

MODEL = "echo/model"
PATH = "/v1/audio/classify"
SOUND, OTHER = wav_of(noise(1)), wav_of(noise(0.5))


def coded(content: bytes) -> str:
    return base64.b64encode(content).decode()


def ask(server, **fields):
    return server.http.post(PATH, json={"model": MODEL, "input": coded(SOUND), **fields})


@pytest.mark.parametrize(
    "written",
    [
        coded(SOUND),
        f"data:audio/wav;base64,{coded(SOUND)}",
        {"audio": coded(SOUND)},
        {"type": "input_audio", "input_audio": {"data": coded(SOUND), "format": "wav"}},
        {"type": "audio_url", "audio_url": {"url": f"data:audio/wav;base64,{coded(SOUND)}"}},
        {"audio_url": f"data:audio/wav;base64,{coded(SOUND)}"},
    ],
)
def test_a_sound_is_named_as_in_chats(shared, written):
    for given in (written, [written]):
        told = ask(shared, input=given, top_n=2).json()
        classes = [{"label": "class 0", "score": 0.5}, {"label": "class 1", "score": 0.5}]
        size = float(len(SOUND))
        assert told.pop("data") == [{"index": 0, **classes[0], "classes": classes, "duration": size}]
        assert told == {"object": "list", "model": MODEL, "usage": {"type": "duration", "seconds": int(size)}}


def test_each_sound_has_a_row_in_the_order_of_the_request(shared):
    rows = ask(shared, input=[coded(OTHER), {"audio": coded(SOUND)}]).json()["data"]
    assert [(row["index"], row["duration"]) for row in rows] == [(0, len(OTHER)), (1, len(SOUND))]
    assert len(rows[0]["classes"]) == 5


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"input": []}, "input"),
        ({"input": [1]}, "input[0]"),
        ({"input": ""}, "input"),
        ({"input": {"image": coded(SOUND)}}, "input"),
        ({"input": {"audio": {"url": "x"}}}, "input"),
        ({"input": {"type": "audio_url", "audio": "x"}}, "input"),
        ({"input": [coded(SOUND)] * 33}, "input"),
        ({"input": "data:audio/wav;base64,%%%"}, "input"),
        ({"input": "https://127.0.0.1/sound.wav"}, "input"),
        ({"input": "file:///etc/passwd"}, "input"),
        ({"top_n": 0}, "top_n"),
        ({"labels": ["cow"]}, "labels"),
    ],
)
def test_what_is_wrong_is_named(shared, fields, param):
    answer = ask(shared, **fields)
    assert answer.status_code == 400, answer.text
    assert answer.json()["error"]["param"] == param


def test_nothing_of_a_sound_stays_behind(shared):
    ask(shared)
    wait_until(lambda: not any(files for _, _, files in os.walk(shared.runtime.spool.path)), "the spool is empty")


@pytest.fixture(scope="module")
def real_ask(real, models):
    def post(model="sounds", **fields):
        body = {"model": str(models[model]), "input": coded(SOUND), **fields}
        return httpx.post(f"{real.url}{PATH}", json=body, timeout=BOUND)

    return post


def test_a_real_model_tells_its_classes(real_ask):
    answer = real_ask(input=[coded(SOUND), coded(OTHER)], top_n=3)
    assert answer.status_code == 200, answer.text
    rows = answer.json()["data"]
    assert [row["duration"] for row in rows] == [1.0, 0.5]
    assert all(len(row["classes"]) == 3 and row["label"].startswith("sound ") for row in rows)
    assert answer.json()["usage"] == {"type": "duration", "seconds": 2}


def test_what_is_no_sound_is_refused_by_its_place(real_ask):
    answer = real_ask(input=[coded(SOUND), coded(b"hello")])
    assert answer.status_code == 400
    assert answer.json()["error"]["param"] == "input[1]"
    assert "no sound" in answer.json()["error"]["message"]


def test_a_model_that_writes_recordings_down_says_that_it_does_not_sort_them(real_ask):
    answer = real_ask(model="whisper")
    assert answer.status_code == 400, answer.text
    assert "audio/transcriptions" in answer.text


def test_a_form_with_files_is_sorted_as_json_is(real, models, real_ask):
    files = [("file", ("a.wav", SOUND)), ("file", ("b.wav", OTHER))]
    fields = {"model": str(models["sounds"]), "top_n": "3"}
    answer = httpx.post(f"{real.url}{PATH}", data=fields, files=files, timeout=BOUND)
    assert answer.status_code == 200, answer.text
    assert answer.json()["data"] == real_ask(input=[coded(SOUND), coded(OTHER)], top_n=3).json()["data"]
