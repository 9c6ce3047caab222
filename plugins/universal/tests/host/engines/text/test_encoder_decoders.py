"""Encoder-decoders write the texts that transformers generates, alone and in company, within what either side takes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import language_models as models
import pytest
import torch
from llamafarm_universal.engine import Accepted, ChatPrompt, Generate, RequestFailed, Sampling, TextPrompt
from llamafarm_universal.messages import Structure

LENGTHS = (1, 17, 60)
ANSWER = 12


@pytest.fixture(scope="module")
def folder_of(tokenizer: Any, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    folders: dict[str, Path] = {}

    def save(name: str) -> Path:
        if name not in folders:
            folders[name] = tmp_path_factory.mktemp(name)
            models.build_encoder_decoder(name).save_pretrained(folders[name])
            tokenizer.save_pretrained(folders[name])
        return folders[name]

    return save


def work(prompt: list[int] | str, most: int = ANSWER, **more: Any) -> Generate:
    return Generate(TextPrompt(prompt if isinstance(prompt, str) else tuple(prompt)), Sampling(most, 0, **more))


def generated(model: Any, tokens: list[int], begun: int) -> list[int]:
    """What transformers writes behind so many tokens that an answer begins with."""
    with torch.inference_mode():
        row = model.generate(torch.tensor([tokens]), max_new_tokens=begun - 1 + ANSWER, do_sample=False, num_beams=1)
    return [int(token) for token in row[0][begun:]]


@pytest.mark.parametrize("name", models.ENCODER_DECODERS)
def test_an_answer_is_what_transformers_generates_alone_and_in_company(
    driven: Callable[..., Any], folder_of: Callable[[str], Path], name: str
) -> None:
    model = driven(folder=folder_of(name))
    prompts = [models.prompt(length, length) for length in LENGTHS]
    begun = len(model.engine._model_limits.start)
    assert begun == (2 if name == "MBart" else 1)
    alone = []
    for prompt in prompts:
        model.chosen.clear()
        request_id = model.start(work(prompt))
        model.run()
        assert model.chosen == generated(model.engine._weights.module, prompt, begun)
        alone.append(model.answer(request_id))
    together = [model.start(work(prompt)) for prompt in prompts]
    model.run()
    assert [model.answer(request_id) for request_id in together] == alone
    assert model.cache.free == model.cache.capacity


def test_what_is_asked_is_counted_and_what_it_can_is_told(
    driven: Callable[..., Any], folder_of: Callable[[str], Path]
) -> None:
    model = driven(folder=folder_of("MBart"))
    request_id = model.start(replace(work([7] * 20, ignore_eos=True), n=2))
    model.run()
    [accepted, *_, last] = model.told[request_id]
    assert isinstance(accepted, Accepted)
    assert accepted.prompt_tokens == last.usage.prompt_tokens == 20
    assert last.usage.completion_tokens == ANSWER
    assert model.engine.model.operations == {"generate", "count", "count_texts"}
    assert model.engine.model.context_length == 64
    assert not model.engine.model.not_applied, "the token that each answer begins with is applied"


def test_each_side_takes_as_much_as_it_has_positions_for(
    driven: Callable[..., Any], folder_of: Callable[[str], Path]
) -> None:
    model = driven(folder=folder_of("MBart"))
    request_id = model.start(work([7] * 64, most=62, ignore_eos=True))
    model.run()
    assert model.answer(request_id)[1:] == ("length", 62)
    with pytest.raises(RequestFailed, match="has 65 tokens; the model can take 64") as failed:
        model.start(work([7] * 65))
    assert (failed.value.kind, failed.value.param) == ("context_length", "prompt")
    with pytest.raises(RequestFailed, match="asks for 63; the model can answer a prompt of 9 with 62") as failed:
        model.start(work([7] * 9, most=63))
    assert failed.value.param == "max_tokens"


def test_without_positions_there_is_as_much_room_as_memory(
    driven: Callable[..., Any], folder_of: Callable[[str], Path]
) -> None:
    model = driven(folder=folder_of("T5"), blocks=20)
    room = model.cache.capacity * 16
    model.start(work([7] * (room - 21), most=20))
    model.run()
    with pytest.raises(RequestFailed, match=f"there is memory for {room - 2}"):
        model.start(work([7] * room))
    waiting = [model.start(work([7] * (room - 21), most=20, ignore_eos=True)) for _ in range(3)]
    model.run()
    assert {model.answer(request_id)[2] for request_id in waiting} == {20}


def test_texts_and_conversations_are_encoded_as_the_tokenizer_says(
    driven: Callable[..., Any], folder_of: Callable[[str], Path]
) -> None:
    model = driven(folder=folder_of("T5"))
    chat = Generate(ChatPrompt(({"role": "user", "content": "hello"},)), Sampling(ANSWER, 0))
    for asked in (work("hello world"), chat):
        request_id = model.start(asked)
        model.run()
        text, reason, _ = model.answer(request_id)
        assert reason in ("stop", "length")
        assert "<|im_start|>user" not in text, "an answer does not repeat its prompt"


def test_an_answer_can_be_held_to_a_format(driven: Callable[..., Any], folder_of: Callable[[str], Path]) -> None:
    model = driven(folder=folder_of("T5"))
    request_id = model.start(replace(work("hello"), structure=Structure("choice", ("yes", "no"))))
    model.run()
    assert model.answer(request_id)[0] in ("yes", "no")
