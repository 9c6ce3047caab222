"""Chats about pictures and sounds: each answer is the one that transformers' processor and `generate` give."""

from __future__ import annotations

import io
import wave
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from llamafarm_universal.engine import Blob, Count, Finished, SpoolFolder
from llamafarm_universal.messages import Generate
from multimodal_chats import PICTURE, SOUND, Seeing, text, user
from multimodal_models import KINDS
from pictures import blob_of, noise

SEEING = ("llava", "qwen2_vl", "qwen2_5_vl", "qwen3_vl", "mllama", "gemma3", "idefics3")
"""Those that hold conversations about pictures."""
KIN = ("llava_next", "llava_onevision", "internvl")
"""Others that do."""
TOGETHER = ("llava", "qwen2_vl", "qwen2_5_vl", "qwen3_vl", "gemma3", "idefics3", "qwen2_audio", *KIN)
"""Those whose texts are read together."""


@pytest.mark.parametrize("kind", SEEING)
def test_an_answer_about_a_picture_is_the_one_of_transformers(kind: str, seeing: Callable[[str], Seeing]) -> None:
    model, picture = seeing(kind), noise(1, 90, 60)
    inputs = model.inputs([user({"type": "image", "image": picture}, text("What is this?"))])
    answer = model.tokens(user(PICTURE, text("What is this?")), media=(blob_of(picture),))
    assert answer == model.expected(inputs)


@pytest.mark.parametrize("kind", (*SEEING, *KIN))
def test_answers_about_many_pictures_and_none_do_not_mix(kind: str, seeing: Callable[[str], Seeing]) -> None:
    model, pictures = seeing(kind), [noise(number, 60 + 30 * number, 90) for number in range(3)]
    blobs = tuple(map(blob_of, pictures))
    shown = [{"type": "image", "image": picture} for picture in pictures]
    talk = (
        user(text("Look."), PICTURE),
        {"role": "assistant", "content": "Yes."},
        user(text("And this one"), PICTURE, text("and that?"), PICTURE),
    )
    whole = [user(text("Look."), shown[0]), talk[1], user(text("And this one"), shown[1], text("and that?"), shown[2])]
    expected = [
        model.expected(model.inputs(whole)),
        model.expected(model.inputs([user(shown[2], text("Small?"))])),
        model.expected(model.inputs([user(text("hello world"))])),
    ]
    started = [
        model.start(*talk, media=blobs),
        model.start(user(PICTURE, text("Small?")), media=blobs[2:]),
        model.start({"role": "user", "content": "hello world"}),
    ]
    model.driven.run()
    assert [model.driven.tokens[request_id, 0] for request_id in started] == expected


@pytest.mark.parametrize("kind", ["llava", "qwen2_vl", "qwen3_vl", "gemma3"])
def test_pictures_that_cannot_be_told_apart_are_seen_at_once(
    kind: str, seeing: Callable[[str], Seeing], monkeypatch: pytest.MonkeyPatch
) -> None:
    model, pictures = seeing(kind), [noise(number, 60, 60) for number in range(2)]
    monkeypatch.setattr(model.driven.engine._prompts._media, "delivery", "together")
    shown = [{"type": "image", "image": picture} for picture in pictures]
    expected = model.expected(model.inputs([user(shown[0], text("Or"), shown[1])]))
    prompt = model.chat(user(PICTURE, text("Or"), PICTURE), media=tuple(map(blob_of, pictures)))
    prepared = model.driven.engine.prepare(Generate(prompt))
    assert len(prepared.media.media) == 1
    assert model.tokens(*prompt.messages, media=prompt.media) == expected


def test_an_answer_about_sounds_is_the_one_of_transformers(seeing: Callable[[str], Seeing]) -> None:
    model = seeing("qwen2_audio")
    sounds = [np.random.default_rng(number).uniform(-0.5, 0.5, 8000).astype(np.float32) for number in range(2)]
    shown = [{"type": "audio", "audio": _as_read(sound)} for sound in sounds]
    inputs = model.inputs([user(shown[0], text("Who is that?"), shown[1])])
    blobs = tuple(map(_wav, sounds))
    answer = model.tokens(user(SOUND, text("Who is that?"), SOUND), media=blobs)
    assert answer == model.expected(inputs)


def _wav(sound: Any) -> Blob:
    written = io.BytesIO()
    with wave.open(written, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(16_000)
        file.writeframes((sound * 32767).astype(np.int16).tobytes())
    return Blob("audio/wav", len(written.getvalue()), data=written.getvalue())


def _as_read(sound: Any) -> Any:
    return (sound * 32767).astype(np.int16).astype(np.float32) / 32768


@pytest.mark.parametrize("kind", ["blip2", "paligemma"])
@pytest.mark.filterwarnings("ignore")
def test_a_model_without_a_template_answers_a_question_about_a_picture(
    kind: str, seeing: Callable[[str], Seeing]
) -> None:
    model, picture = seeing(kind), noise(1)
    inputs = model.processor(text="Question: what? Answer:", images=[picture], return_tensors="pt")
    answer = model.tokens(user(PICTURE, text("Question: what? Answer:")), media=(blob_of(picture),))
    assert answer == model.expected(inputs)


@pytest.mark.parametrize("task", ["<CAPTION>", "<OD>", "<CAPTION_TO_PHRASE_GROUNDING>a fox"])
def test_florence_does_the_task_that_its_prompt_names(task: str, seeing: Callable[[str], Seeing]) -> None:
    model, picture = seeing("florence2"), noise(1)
    inputs = model.processor(text=task, images=[picture], return_tensors="pt")
    answer = model.tokens(user(PICTURE, text(task)), media=(blob_of(picture),))
    assert answer == model.expected(inputs)


@pytest.mark.parametrize("kind", KINDS)
def test_a_model_says_what_it_takes(kind: str, engines: Callable[[str], Any]) -> None:
    model = engines(kind).engine.model
    assert model.task == "multimodal"
    assert {"chat", "sound" if kind == "qwen2_audio" else "pictures"} <= model.features
    assert model.operations == {"generate", "count", "count_texts"}


@pytest.mark.parametrize("kind", TOGETHER)
def test_models_read_pictures_together_with_texts_where_they_can(kind: str, engines: Callable[[str], Any]) -> None:
    engine = engines(kind).engine
    assert engine._runner.reads_together


def test_a_picture_whose_tokens_look_both_ways_is_never_cut(
    driven: Callable[..., Any], folder_of: Callable[[str], Path], spool: SpoolFolder
) -> None:
    narrow = Seeing(driven(folder=folder_of("gemma3"), prefill_tokens=3), folder_of("gemma3"), spool)
    pictures = [noise(number, 60, 60) for number in range(2)]
    content = [part for picture in pictures for part in ({"type": "image", "image": picture}, text("Look!"))]
    expected = narrow.expected(narrow.inputs([user(*content)]))
    talk = user(PICTURE, text("Look!"), PICTURE, text("Look!"))
    narrow.start({"role": "user", "content": "hello world"}, max_tokens=60)
    assert narrow.tokens(talk, media=tuple(map(blob_of, pictures))) == expected


@pytest.mark.parametrize("kind", ["llava", "gemma3"])
def test_the_tokens_of_pictures_are_counted(kind: str, seeing: Callable[[str], Seeing]) -> None:
    model, picture = seeing(kind), noise(1, 90, 60)
    inputs = model.inputs([user({"type": "image", "image": picture}, text("What is this?"))])
    said = user(PICTURE, text("What is this?"))
    prompt = model.chat(said, media=(blob_of(picture),))
    request_id = model.driven.start(Count(prompt))
    [counted] = model.driven.told[request_id]
    answered = model.start(said, media=(blob_of(picture),))
    model.driven.run()
    assert isinstance(counted, Finished)
    assert counted.usage.prompt_tokens == inputs["input_ids"].shape[1]
    assert model.driven.told[answered][-1].usage.prompt_tokens == inputs["input_ids"].shape[1]
