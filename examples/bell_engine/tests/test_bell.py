"""What is heard, and what is said of a bell or a melody that is wrong."""

from __future__ import annotations

import io
import math
import wave
from array import array
from pathlib import Path
from typing import Any

import pytest
from llamafarm_bell_engine.melody import Ring, pitches, read_ring
from llamafarm_bell_engine.spec import ENGINE
from llamafarm_universal.engine import (
    Blob,
    Candidate,
    Finished,
    Fit,
    Limits,
    LoadPlan,
    ModelRef,
    Progress,
    RequestFailed,
)

PURE: dict[str, Any] = {
    "model_type": "bell",
    "rate": 8000,
    "seconds": 0.5,
    "hertz": 440,
    "partials": [{"ratio": 1, "level": 1, "decay": 10}],
}


def candidate(config: dict[str, Any]) -> Candidate:
    return Candidate(ModelRef("/bells/mine"), Path("/bells/mine"), config, None, "cpu", "fp32", 0)


def rung(work: Ring, config: dict[str, Any] = PURE) -> list[Any]:
    """All that is told of a melody."""
    known = candidate(config)
    fit = ENGINE.fit(known)
    assert isinstance(fit, Fit)
    engine = ENGINE.load(LoadPlan.of(known, "bell", fit, Limits()), 0)
    events: list[Any] = []
    engine.submit("r", work, engine.prepare(work), events.append)
    while engine.step():
        pass
    engine.close()
    return events


def heard(work: Ring, config: dict[str, Any] = PURE) -> tuple[array[int], int]:
    """The samples of a melody, and how many a second has."""
    last = rung(work, config)[-1]
    assert isinstance(last, Finished)
    assert isinstance(last.value, Blob)
    assert last.value.media_type == "audio/wav"
    with wave.open(io.BytesIO(last.value.read())) as file:
        assert (file.getnchannels(), file.getsampwidth()) == (1, 2)
        return array("h", file.readframes(file.getnframes())), file.getframerate()


def loudness(samples: array[int], rate: int, hertz: float) -> float:
    """How much of a frequency is in a sound."""
    turns = [math.tau * hertz * at / rate for at in range(len(samples))]
    parts = [sum(sample * f(turn) for sample, turn in zip(samples, turns, strict=True)) for f in (math.sin, math.cos)]
    return math.hypot(*parts) / len(samples)


@pytest.mark.parametrize(
    ("note", "hertz"), [("A4", 440), ("A3", 220), ("C5", 523.25), ("F#4", 369.99), ("Bb4", 466.16)]
)
def test_a_note_has_its_pitch(note: str, hertz: float) -> None:
    assert pitches(Ring((note,))) == [pytest.approx(hertz, abs=0.1)]
    samples, rate = heard(Ring((note,), 0.5))
    others = [loudness(samples, rate, hertz * factor) for factor in (0.9, 1.1, 2)]
    assert loudness(samples, rate, hertz) > 10 * max(others)


def test_notes_come_one_after_the_other_and_a_rest_is_silent() -> None:
    samples, rate = heard(Ring(("A5", "-", "-", "A3"), 0.5))
    beat = rate // 2
    first, second, third, fourth = (samples[at * beat : (at + 1) * beat] for at in range(4))
    assert loudness(first, rate, 880) > 10 * loudness(first, rate, 220)
    assert {*second[beat // 2 :], *third} == {0}
    assert loudness(fourth, rate, 220) > 10 * loudness(fourth, rate, 880)


def test_it_tells_how_far_it_is_note_by_note() -> None:
    told = [(event.done, event.total) for event in rung(Ring(("C4", "-", "E4"), 0.1)) if isinstance(event, Progress)]
    assert told == [(1, 3), (2, 3), (3, 3)]


@pytest.mark.parametrize(
    "change",
    [
        {"rate": None},
        {"rate": 1},
        {"seconds": "long"},
        {"seconds": 1e308},
        {"hertz": 0},
        {"partials": []},
        {"partials": [{"ratio": 1}]},
        {"partials": [7]},
        {"partials": [{"ratio": 1, "level": 1, "decay": 0}]},
    ],
    ids=str,
)
def test_a_broken_bell_is_refused_before_it_is_cast(change: dict[str, Any]) -> None:
    with pytest.raises(RequestFailed, match=r"config\.json is broken") as raised:
        ENGINE.fit(candidate({**PURE, **change}))
    assert raised.value.kind == "load_failed"


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"notes": "H4"}, "input.notes"),
        ({"notes": ""}, "input.notes"),
        ({"notes": ["A4", 7]}, "input.notes"),
        ({}, "input.notes"),
        ({"notes": "A4", "beat": True}, "input.beat"),
        ({"notes": "A4", "tempo": 90}, "input.tempo"),
    ],
    ids=str,
)
def test_a_wrong_request_is_told_which_field_is_wrong(fields: dict[str, Any], param: str) -> None:
    with pytest.raises(RequestFailed) as raised:
        pitches(read_ring(fields))
    assert (raised.value.kind, raised.value.param) == ("invalid_request", param)
