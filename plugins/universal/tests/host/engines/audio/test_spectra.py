"""SpeechT5 speaks what transformers' own model and vocoder do, with the same chance and voice."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from audio_models import make_speecht5
from listening import Listening, alike, spoken
from llamafarm_universal.engine import Finished, RequestFailed, Result, Speak
from llamafarm_universal.host.engines import stepwise

TEXTS = ("the lazy dog", "a quick fox jumps")


@pytest.fixture(scope="module")
def speecht5(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Listening]:
    folder = make_speecht5(tmp_path_factory.mktemp("models") / "speecht5")
    made = Listening(folder, tmp_path_factory.mktemp("spool"))
    yield made
    made.close()


def plainly(folder: Path, text: str, voice: str, seed: int) -> np.ndarray[Any, Any]:
    from transformers import AutoTokenizer, SpeechT5ForTextToSpeech, SpeechT5HifiGan

    model = SpeechT5ForTextToSpeech.from_pretrained(folder)
    vocoder = SpeechT5HifiGan.from_pretrained(folder / "vocoder")
    ids = AutoTokenizer.from_pretrained(folder)(text, return_tensors="pt")["input_ids"]
    vector = torch.from_numpy(np.load(folder / "speaker_embeddings" / f"{voice}.npy"))[None]
    torch.manual_seed(seed)
    with torch.no_grad():
        waveform = model.generate(ids, speaker_embeddings=vector, vocoder=vocoder).numpy()
    return np.asarray((waveform.clip(-1, 1) * 32767).round(), "<i2")


def test_each_text_is_what_the_plain_model_speaks(speecht5: Listening) -> None:
    sounds = spoken(speecht5, Speak(TEXTS, seed=7))
    assert all(sound.std() > 100 for sound in sounds)
    assert all(
        alike(sound, plainly(speecht5.folder, text, "bella", 7)) for sound, text in zip(sounds, TEXTS, strict=True)
    )


def test_a_voice_is_a_file_of_the_folder(speecht5: Listening) -> None:
    [default], [bella], [bo] = (spoken(speecht5, Speak(TEXTS[:1], voice)) for voice in ("default", "bella", "bo"))
    assert np.array_equal(default, bella)
    assert alike(bo, plainly(speecht5.folder, TEXTS[0], "bo", 0))
    assert not (bo.shape == bella.shape and np.array_equal(bo, bella))


def test_what_it_cannot_do_is_refused(speecht5: Listening) -> None:
    for work, param, message in (
        (Speak(TEXTS, "alloy"), "voice", "has no voice 'alloy'"),
        (Speak(TEXTS, speed=2.0), "speed", "takes no `speed`"),
        (Speak(("the lazy dog " * 10,)), "input", "the model reads 60"),
        (Speak(("  ", "\u4f60")), "input", "nothing to speak"),
    ):
        with pytest.raises(RequestFailed, match=message) as failure:
            speecht5.engine.prepare(work)
        assert failure.value.param == param


def test_a_text_that_never_ends_is_spoken_as_far_as_the_model_has_positions(
    speecht5: Listening, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        speecht5.engine._runner.module.speech_decoder_postnet.prob_out.bias, "data", torch.full((2,), -99.0)
    )
    [sound] = spoken(speecht5, Speak(("the lazy dog jumps " * 3,)))
    assert len(sound) == 200 * 2 * 16


def test_it_is_spoken_a_few_frames_at_a_time(speecht5: Listening, monkeypatch: pytest.MonkeyPatch) -> None:
    work = Speak(TEXTS, seed=3)
    at_once = spoken(speecht5, work)
    monkeypatch.setattr(stepwise, "TURN_SECONDS", 0.0)
    events: list[Result] = []
    speecht5.engine.submit("1", work, speecht5.engine.prepare(work), events.append)
    steps = sum(torch.rand(3).numel() > 0 for _ in iter(speecht5.engine.step, False))
    assert steps > 50
    sounds = [np.frombuffer(end.value.read(), "<i2") for end in events if isinstance(end, Finished)]
    assert all(map(np.array_equal, sounds, at_once))


def changed(engine: Listening, folder: Path) -> Path:
    return Path(shutil.copytree(engine.folder, folder / "changed"))


def refusal(folder: Path, spool: Path) -> str:
    with pytest.raises(RequestFailed) as failure:
        Listening(folder, spool)
    return f"{failure.value.message} {failure.value.hint}"


def test_a_vocoder_of_pickles_is_not_read(speecht5: Listening, tmp_path: Path) -> None:
    folder = changed(speecht5, tmp_path)
    weights = folder / "vocoder" / "model.safetensors"
    weights.rename(weights.with_name("pytorch_model.bin"))
    assert "has weights only as `vocoder/pytorch_model.bin`" in refusal(folder, tmp_path)


def test_a_model_without_a_voice_speaks_with_that_of_nobody(speecht5: Listening, tmp_path: Path) -> None:
    folder = changed(speecht5, tmp_path)
    shutil.rmtree(folder / "speaker_embeddings")
    engine = Listening(folder, tmp_path)
    [sound] = spoken(engine, Speak(TEXTS[:1]))
    (folder / "speaker_embeddings").mkdir()
    np.save(folder / "speaker_embeddings" / "nobody.npy", np.zeros(12, "float32"))
    assert alike(sound, plainly(folder, TEXTS[0], "nobody", 0))
    with pytest.raises(RequestFailed, match="has no voice 'bella'") as failure:
        engine.engine.prepare(Speak(TEXTS, "bella"))
    assert failure.value.hint == "It has default."
    engine.close()


@pytest.mark.parametrize(
    ("array", "told"),
    [
        (np.zeros(7, "float32"), "has 7 numbers; the model reads 12"),
        (np.array([{"a": 1}], dtype=object), "cannot be read"),
        (np.array(["a"] * 12), "cannot be read"),
    ],
)
def test_a_voice_that_is_none_is_refused(
    speecht5: Listening, tmp_path: Path, array: np.ndarray[Any, Any], told: str
) -> None:
    folder = changed(speecht5, tmp_path)
    np.save(folder / "speaker_embeddings" / "wrong.npy", array, allow_pickle=True)
    assert told in refusal(folder, tmp_path)
