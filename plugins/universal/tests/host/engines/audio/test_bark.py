"""Bark speaks what transformers' own model does, with the same chance and voice."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from audio_models import make_bark
from listening import Listening, alike, spoken
from llamafarm_universal.engine import Finished, RequestFailed, Result, Speak
from llamafarm_universal.host.engines import stepwise
from tiny_models import make_word_tokenizer

TEXTS = ("the lazy dog", "a quick fox")


@pytest.fixture(scope="module")
def bark(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Listening]:
    folder = make_bark(tmp_path_factory.mktemp("models") / "bark", make_word_tokenizer())
    made = Listening(folder, tmp_path_factory.mktemp("spool"))
    yield made
    made.close()


def plainly(folder: Path, text: str, voice: str | None, seed: int) -> np.ndarray[Any, Any]:
    from transformers import AutoTokenizer, BarkModel, BarkProcessor

    listed = json.loads((folder / "speaker_embeddings_path.json").read_text())
    processor = BarkProcessor(AutoTokenizer.from_pretrained(folder), {**listed, "repo_or_path": str(folder)})
    inputs, model = processor(text, voice_preset=voice, max_length=32), BarkModel.from_pretrained(folder)
    torch.manual_seed(seed)
    waveform = model.generate(**inputs)[0].numpy()
    return np.asarray((waveform.clip(-1, 1) * 32767).round(), "<i2")


@pytest.mark.parametrize("voice", [None, "v2/en_speaker_1"])
def test_each_text_is_what_the_plain_model_speaks(bark: Listening, voice: str | None) -> None:
    sounds = spoken(bark, Speak(TEXTS, voice, seed=7))
    assert all(sound.std() > 100 for sound in sounds)
    assert all(alike(sound, plainly(bark.folder, text, voice, 7)) for sound, text in zip(sounds, TEXTS, strict=True))


def test_its_voices_are_those_of_its_files(bark: Listening) -> None:
    assert bark.engine._heads["speak"]._speaker.voices == ["random", "v2/en_speaker_0", "v2/en_speaker_1"]
    with pytest.raises(RequestFailed, match="has no voice 'v2/de_speaker_0'") as failure:
        bark.engine.prepare(Speak(TEXTS, "v2/de_speaker_0"))
    assert "v2/en_speaker_0" in str(failure.value.hint)


def test_a_sentence_that_would_be_cut_is_refused(bark: Listening) -> None:
    with pytest.raises(RequestFailed, match="the model reads 32") as failure:
        bark.engine.prepare(Speak(("the lazy dog " * 20,)))
    assert failure.value.param == "input"


def test_it_is_spoken_a_few_layers_at_a_time(bark: Listening, monkeypatch: pytest.MonkeyPatch) -> None:
    work = Speak(TEXTS[:1], seed=3)
    at_once = spoken(bark, work)
    monkeypatch.setattr(stepwise, "TURN_SECONDS", 0.0)
    events: list[Result] = []
    bark.engine.submit("1", work, bark.engine.prepare(work), events.append)
    steps = sum(torch.rand(3).numel() > 0 for _ in iter(bark.engine.step, False))
    assert steps > 50
    sounds = [np.frombuffer(end.value.read(), "<i2") for end in events if isinstance(end, Finished)]
    assert all(map(np.array_equal, sounds, at_once))


@pytest.mark.parametrize("place", ["../outside.npy", "/etc/passwd", "speaker_embeddings/../../outside.npy", 1])
def test_a_voice_that_lies_elsewhere_is_refused(bark: Listening, tmp_path: Path, place: Any) -> None:
    folder = Path(shutil.copytree(bark.folder, tmp_path / "changed"))
    np.save(tmp_path / "outside.npy", np.zeros(20, int))
    listed = json.loads((folder / "speaker_embeddings_path.json").read_text())
    listed["v2/en_speaker_0"]["semantic_prompt"] = place
    (folder / "speaker_embeddings_path.json").write_text(json.dumps(listed))
    with pytest.raises(RequestFailed, match="cannot be read"):
        Listening(folder, tmp_path)


def test_a_voice_of_python_objects_is_not_read(bark: Listening, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(bark.folder, tmp_path / "changed"))
    path = folder / "speaker_embeddings" / "v2" / "en_speaker_0_semantic_prompt.npy"
    np.save(path, np.array([{}], dtype=object), allow_pickle=True)
    with pytest.raises(RequestFailed, match="cannot be read"):
        Listening(folder, tmp_path)


def test_voices_whose_files_are_not_there_are_left_out(bark: Listening, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(bark.folder, tmp_path / "changed"))
    shutil.rmtree(folder / "speaker_embeddings")
    made = Listening(folder, tmp_path)
    assert made.engine._heads["speak"]._speaker.voices == ["random"]
    made.close()
