"""VITS speaks what transformers' own model does, with the same chance."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from audio_models import make_vits
from listening import Listening, alike
from llamafarm_universal.engine import Failed, Finished, RequestFailed, Result, Speak
from llamafarm_universal.host.engines import stepwise

TEXTS = ("the cows are in the barn", "so is the llama")


@pytest.fixture(scope="module", params=[1, 3])
def vits(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Listening]:
    """With one voice, and with three."""
    folder = make_vits(tmp_path_factory.mktemp("models") / "vits", request.param)
    made = Listening(folder, tmp_path_factory.mktemp("spool"))
    yield made
    made.close()


def spoken(engine: Listening, work: Speak) -> list[np.ndarray[Any, Any]]:
    """The samples of each text, in the order of the texts."""
    [events] = engine.events(work)
    assert not [event for event in events if isinstance(event, Failed)]
    ends = sorted((event for event in events if isinstance(event, Finished)), key=lambda event: event.index)
    assert {end.value.media_type for end in ends} == {"audio/pcm;rate=16000"}
    return [np.frombuffer(end.value.read(), "<i2") for end in ends]


def voices_of(engine: Listening) -> list[str]:
    return list(engine.engine._heads["speak"]._speaker.voices)


def plainly(folder: Path, text: str, seed: int = 0, **options: Any) -> np.ndarray[Any, Any]:
    from transformers import VitsModel, VitsTokenizer

    model, tokenizer = VitsModel.from_pretrained(folder), VitsTokenizer.from_pretrained(folder)
    torch.manual_seed(seed)
    with torch.no_grad():
        waveform = model(**tokenizer(text, return_tensors="pt"), **options).waveform[0].numpy()
    return np.asarray((waveform.clip(-1, 1) * 32767).round(), "<i2")


def test_each_text_is_what_the_plain_model_speaks(vits: Listening) -> None:
    own = {"speaker_id": 0} if voices_of(vits) else {}
    sounds = spoken(vits, Speak(TEXTS, seed=7))
    assert all(len(sound) > 1000 for sound in sounds)
    assert all(alike(sound, plainly(vits.folder, text, 7, **own)) for sound, text in zip(sounds, TEXTS, strict=True))


def test_chance_speed_and_voice_change_what_is_spoken(vits: Listening) -> None:
    [plain], [again], [other], [slow] = (
        spoken(vits, Speak(TEXTS[:1], seed=seed, speed=speed)) for seed, speed in ((1, 1), (1, 1), (2, 1), (1, 0.5))
    )
    assert np.array_equal(plain, again)
    assert not (plain.shape == other.shape and np.array_equal(plain, other))
    assert len(slow) > 1.5 * len(plain)
    if voices_of(vits):
        [second] = spoken(vits, Speak(TEXTS[:1], voice="2", seed=1))
        assert alike(second, plainly(vits.folder, TEXTS[0], 1, speaker_id=2))
        assert not np.array_equal(second, plain)


def test_chance_elsewhere_goes_on_undisturbed(vits: Listening) -> None:
    torch.manual_seed(3)
    wanted = torch.rand(4)[2:].tolist()
    torch.manual_seed(3)
    torch.rand(2)
    spoken(vits, Speak(TEXTS))
    assert torch.rand(2).tolist() == wanted


def test_a_text_without_letters_is_silent_among_others(vits: Listening) -> None:
    lengths = [len(sound) for sound in spoken(vits, Speak(("hello", "123", "world")))]
    assert lengths[1] == 0
    assert min(lengths[0], lengths[2]) > 500


def test_what_cannot_be_spoken_is_refused(vits: Listening) -> None:
    with pytest.raises(RequestFailed, match="There is nothing to speak") as empty:
        vits.engine.prepare(Speak(("123", "?!")))
    assert empty.value.param == "input"
    with pytest.raises(RequestFailed, match="has no voice 'alloy'") as voice:
        vits.engine.prepare(Speak(TEXTS, voice="alloy"))
    assert (voice.value.param, str(voice.value.hint)[:15]) == ("voice", "It has default.") or "0" in str(
        voice.value.hint
    )


def test_a_text_is_spoken_the_same_in_steps_among_which_others_draw_by_chance(
    vits: Listening, monkeypatch: pytest.MonkeyPatch
) -> None:
    work = Speak(TEXTS, seed=5)
    at_once = spoken(vits, work)
    monkeypatch.setattr(stepwise, "TURN_SECONDS", 0.0)
    events: list[Result] = []
    vits.engine.submit("1", work, vits.engine.prepare(work), events.append)
    steps = sum(torch.rand(3).numel() > 0 for _ in iter(vits.engine.step, False))
    assert steps > 10
    sounds = [np.frombuffer(end.value.read(), "<i2") for end in events if isinstance(end, Finished)]
    assert all(map(np.array_equal, sounds, at_once))
