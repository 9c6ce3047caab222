"""Models of CTC spell what transformers' own pipeline does, and tell the times of words."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from audio_models import RATE, make_ctc, noise
from listening import Listening, pieces
from llamafarm_universal.engine import Finished, RequestFailed, Result
from llamafarm_universal.host.engines import stepwise
from llamafarm_universal.host.engines.audio.transcripts import grouped
from llamafarm_universal.messages.work.audio import Word

LONG = 37.3


@pytest.fixture(scope="module", params=["Wav2Vec2", "Hubert"])
def ctc(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Listening]:
    folder = make_ctc(tmp_path_factory.mktemp("models") / "ctc", request.param)
    made = Listening(folder, tmp_path_factory.mktemp("spool"))
    yield made
    made.close()


def piped(folder: Path, samples: Any, **options: Any) -> dict[str, Any]:
    from transformers import pipeline

    plain = pipeline("automatic-speech-recognition", str(folder), chunk_length_s=15)
    told = plain(samples.copy(), **options)
    assert isinstance(told, dict)
    return told


@pytest.mark.parametrize("seconds", [0.5, 15, LONG])
def test_a_recording_is_what_the_pipeline_spells(ctc: Listening, seconds: float) -> None:
    samples = noise(seconds)
    plain = piped(ctc.folder, samples, return_timestamps="word")
    transcript = ctc.transcript(samples)
    assert transcript["words"]
    assert transcript["text"].split() == plain["text"].split()
    words = [chunk for chunk in plain["chunks"] if chunk["text"].strip()]
    assert [word["word"] for word in transcript["words"]] == [chunk["text"] for chunk in words]
    times = [(word["start"], word["end"]) for word in transcript["words"]]
    assert np.allclose(times, [chunk["timestamp"] for chunk in words], atol=1e-3)


@pytest.mark.parametrize("samples", [1, 100, 319])
def test_a_recording_that_is_shorter_than_a_letter_is_written_down_all_the_same(ctc: Listening, samples: int) -> None:
    transcript = ctc.transcript(noise(1)[:samples])
    assert transcript["duration"] == samples / RATE
    assert len(transcript["words"]) <= 1


def test_recordings_beside_each_other_are_spelled_as_alone(ctc: Listening) -> None:
    works = [ctc.work(noise(seconds, seed=2)) for seconds in (LONG, 2, 16)]
    assert ctc.values(*works) == [ctc.values(work)[0] for work in works]


def test_the_pieces_are_the_text_and_end_with_words(ctc: Listening) -> None:
    [events] = ctc.events(ctc.work(noise(LONG)))
    transcript = ctc.transcript(noise(LONG))
    assert "".join(pieces(events)) == transcript["text"]
    assert [piece.strip() for piece in pieces(events)] == [word["word"] for word in transcript["words"]]


def test_silence_takes_its_time(ctc: Listening) -> None:
    silence = np.zeros(RATE * 30, np.float32)
    assert ctc.transcript(silence)["text"] == ""
    late = ctc.transcript(np.concatenate([silence, noise(2)]))
    assert late["words"]
    assert all(word["start"] > 15 for word in late["words"])


@pytest.mark.parametrize(
    ("fields", "name"),
    [({"language": "de"}, "language"), ({"prompt": "Names"}, "prompt"), ({"temperatures": (0.5,)}, "temperature")],
)
def test_what_it_cannot_be_told_is_refused(ctc: Listening, fields: dict[str, Any], name: str) -> None:
    with pytest.raises(RequestFailed, match=f"takes no `{name}`") as failure:
        ctc.engine.prepare(ctc.work(noise(1), **fields))
    assert failure.value.param == name


def test_words_become_segments_that_end_with_a_pause_or_their_length() -> None:
    words = [Word("a", 0, 1), Word("b", 1.2, 2), Word("c", 4, 5), *(Word("d", at, at + 1) for at in range(5, 14))]
    assert [(each.start, each.end, each.text) for each in grouped(words)] == [
        (0, 2, "a b"),
        (4, 12, "c d d d d d d d"),
        (12, 14, "d d"),
    ]


def test_ten_minutes_are_spelled_to_the_last_window(ctc: Listening) -> None:
    words = ctc.transcript(noise(600))["words"]
    assert 590 < words[-1]["end"] <= 600
    assert [word["start"] for word in words] == sorted(word["start"] for word in words)


def test_a_window_is_computed_a_few_layers_at_a_time(ctc: Listening, monkeypatch: pytest.MonkeyPatch) -> None:
    work = ctc.work(noise(2))
    at_once = ctc.values(work)
    monkeypatch.setattr(stepwise, "TURN_SECONDS", 0.0)
    events: list[Result] = []
    ctc.engine.submit("1", work, ctc.engine.prepare(work), events.append)
    steps = sum(1 for _ in iter(ctc.engine.step, False))
    assert steps > 3
    assert [json.loads(end.value.read()) for end in events if isinstance(end, Finished)] == at_once


def test_a_window_that_nobody_wants_any_more_ends_between_two_layers(
    ctc: Listening, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stepwise, "TURN_SECONDS", 0.0)
    work, before = ctc.work(noise(2)), threading.active_count()
    ctc.engine.submit("1", work, ctc.engine.prepare(work), lambda _: None)
    assert ctc.engine.step()
    assert threading.active_count() == before + 1
    ctc.engine.cancel("1")
    assert threading.active_count() == before
    assert not ctc.engine.step()
    assert ctc.values(work)
