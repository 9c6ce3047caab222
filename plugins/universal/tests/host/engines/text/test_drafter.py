"""A draft model: its guesses change no answer, it follows the one that runs alone, and has its share of memory."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from language_models import build
from llamafarm_universal.engine import Generate, Sampling, TextPrompt
from llamafarm_universal.failure import RequestFailed
from llamafarm_universal.host.engines.text.drafter import MOST, Drafter
from llamafarm_universal.host.engines.text.guesses import Guesses
from llamafarm_universal.host.engines.text.prompt_lookup import PromptLookup
from llamafarm_universal.host.engines.text.trial import Trial
from llamafarm_universal.host.models.linears.form import Form
from llamafarm_universal.messages import Structure
from tiny_models import make_byte_fallback_tokenizer, make_llama
from transformers import AutoModelForCausalLM

LETTERS = Structure("regex", "[a-z ]{30}")


def prompt(length: int, first: int = 3) -> tuple[int, ...]:
    return tuple(3 + (first + index * 7) % 290 for index in range(length))


def work(length: int = 60, first: int = 3, tokens: int = 40, **settings: Any) -> Generate:
    sampling = {"temperature": 0, "ignore_eos": True, "max_tokens": tokens, **settings}
    return Generate(TextPrompt(prompt(length, first)), Sampling(**sampling))


@pytest.fixture(scope="module")
def draft(llama_folder: Path, models_folder: Path, tokenizer: Any) -> Path:
    """The Llama, disturbed a little: it would say another token now and then."""
    folder = models_folder / "draft"
    model = AutoModelForCausalLM.from_pretrained(llama_folder)
    torch.manual_seed(1)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.01 * torch.randn_like(parameter))
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def plain(driven: Callable[..., Any]) -> Any:
    """The Llama by itself."""
    return driven()


@pytest.fixture(scope="module")
def drafting(driven: Callable[..., Any], draft: Path) -> Any:
    """The Llama with its draft model, which reads no more than 32 tokens at once."""
    return driven(draft=draft, prefill_tokens=32)


@pytest.fixture(autouse=True)
def _always(monkeypatch: pytest.MonkeyPatch) -> None:
    """The draft model alone guesses, whether or not it pays: these models are too small for that."""

    def observe(guesses: Guesses, seconds: float, tokens: int, guessed: int) -> None:
        guesses._since_plain = 0
        if guessed:
            guesses._count("draft_model", guessed, tokens - 1)

    monkeypatch.setattr(PromptLookup, "guess", lambda *_: ())
    monkeypatch.setattr(Guesses, "observe", observe)


def answer(model: Any, *works: Generate) -> list[Any]:
    """What each is answered, when all are asked at once."""
    asked = [model.start(each) for each in works]
    model.run()
    assert model.cache.free == model.cache.capacity
    return [model.answer(each) for each in asked]


def drafter_of(model: Any) -> Drafter:
    drafter = model.engine._stepper._guesses._trials[-1].guesser
    assert isinstance(drafter, Drafter)
    return drafter


def reads_of(model: Any, monkeypatch: pytest.MonkeyPatch) -> Callable[[], Iterator[list[int]]]:
    """Run a model step by step: how many tokens its drafter reads at once, in each step."""
    runner, reads = drafter_of(model)._runner, []
    run = runner.run

    def noted(readings: Any) -> Any:
        reads.extend(reading.count for reading in readings)
        return run(readings)

    monkeypatch.setattr(runner, "run", noted)

    def steps() -> Iterator[list[int]]:
        more = True
        while more:
            reads.clear()
            more = model.engine.step()
            yield list(reads)

    return steps


@pytest.mark.parametrize(
    ("settings", "guesses"),
    [
        ({}, True),
        ({"logprobs": 2}, True),
        ({"temperature": 0.7, "top_p": 0.8, "seed": 3}, True),
        ({"temperature": 1.0, "top_k": 20, "min_p": 0.01, "seed": 4}, True),
        ({"temperature": 0.8, "seed": 5, "repetition_penalty": 1.2}, False),
        ({"frequency_penalty": 0.5}, False),
    ],
    ids=str,
)
def test_an_answer_is_the_same_with_a_draft_model(
    plain: Any, drafting: Any, settings: dict[str, Any], guesses: bool
) -> None:
    before = drafting.steps
    assert answer(drafting, work(**settings)) == answer(plain, work(**settings))
    assert drafting.chosen[-40:] == plain.chosen[-40:]
    assert (drafting.steps - before < 35) is guesses


def test_an_answer_that_is_held_to_a_format_is_the_same(plain: Any, drafting: Any) -> None:
    asked = Generate(TextPrompt(prompt(60)), Sampling(max_tokens=40, temperature=1.0, seed=6), structure=LETTERS)
    assert answer(drafting, asked) == answer(plain, asked)


def test_a_model_that_is_always_right_drafts_ever_more(
    driven: Callable[..., Any], plain: Any, llama_folder: Path
) -> None:
    model = driven(draft=llama_folder)
    asked = work(tokens=80)
    assert answer(model, asked) == answer(plain, asked)
    assert drafter_of(model)._length == MOST
    assert model.steps < 80 / MOST + 8
    [(_, drafted), (_, accepted)] = sorted(
        (name, number)
        for (name, labels), number in model.engine.meter.take(model.engine.model.ref).counters.items()
        if labels == (("method", "draft_model"),) and name.endswith("_tokens")
    )
    assert drafted >= accepted > 60


def test_where_several_answers_run_it_rests_and_follows_the_one_that_is_left(plain: Any, drafting: Any) -> None:
    both = (work(first=1, tokens=60), work(first=2, tokens=20, temperature=1.0, seed=1))
    before = drafting.steps
    assert answer(drafting, *both) == answer(plain, *both)
    assert 20 < drafting.steps - before < 60
    assert answer(drafting, work(first=2)) == answer(plain, work(first=2))


def test_it_reads_a_prompt_in_pieces_one_in_a_step_and_after_the_first_token(
    drafting: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    steps = reads_of(drafting, monkeypatch)
    drafting.start(work(length=150, first=50, tokens=30))
    chosen, told = len(drafting.chosen), []
    for reads in steps():
        assert not reads or len(drafting.chosen) > chosen + 1
        told += [reads] if reads else []
    assert told[0] == [32]
    assert all(sum(reads) <= 32 + MOST for reads in told)
    assert sum(map(sum, told)) >= 150


def test_what_a_conversation_has_before_is_not_read_again(drafting: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    answer(drafting, work(length=200, first=70, tokens=12))
    steps = reads_of(drafting, monkeypatch)
    drafting.start(work(length=220, first=70, tokens=12))
    assert max(count for reads in steps() for count in reads) <= 30


def test_it_has_as_many_blocks_as_the_model_within_the_same_bytes(drafting: Any, plain: Any) -> None:
    assert drafting.cache.capacity == plain.cache.capacity == drafter_of(drafting)._cache.capacity
    assert drafting.engine.model.memory_bytes == 2 * plain.engine.model.memory_bytes


def test_where_it_can_read_no_more_the_answer_goes_on_alone(
    driven: Callable[..., Any], plain: Any, tokenizer: Any, tmp_path: Path
) -> None:
    model = driven(draft=make_llama(tmp_path, tokenizer, max_position_embeddings=80))
    asked = work()
    assert answer(model, asked) == answer(plain, asked)
    followed = drafter_of(model)._followed
    assert followed is not None
    assert 60 < followed.text.stored <= 80


@pytest.mark.parametrize("more", [-40, 8])
def test_ids_that_one_of_the_two_does_not_have_are_not_said_and_not_read(
    driven: Callable[..., Any], plain: Any, tokenizer: Any, tmp_path: Path, more: int
) -> None:
    model = driven(draft=make_llama(tmp_path, tokenizer, vocab_size=len(tokenizer) + more))
    asked = work(tokens=30, temperature=2.0, seed=1)
    assert answer(model, asked) == answer(plain, asked)


def test_a_draft_model_that_fails_leaves_the_answer_alone(
    driven: Callable[..., Any],
    plain: Any,
    draft: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    model = driven(draft=draft)
    monkeypatch.setattr(drafter_of(model)._runner, "run", lambda _: torch.full((1, 300), float("nan")))
    assert answer(model, work(tokens=10)) == answer(plain, work(tokens=10))
    assert [record.message for record in caplog.records] == ["Nothing is guessed by the method draft_model any more"]


def test_what_is_closed_lets_go_of_both_models(driven: Callable[..., Any], draft: Path) -> None:
    model = driven(draft=draft)
    answer(model, work(tokens=5))
    module = weakref.ref(drafter_of(model)._runner._module)
    model.engine.close()
    gc.collect()
    assert module() is None


def test_model_and_draft_are_tried_before_they_get_fewer_bits(
    driven: Callable[..., Any], draft: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With few bits a trained model may give something else wherever rounding does: nothing could be told of it."""
    passes, bits = Trial.passes, []

    def noted(trial: Trial, runner: Any, steps: Any) -> bool:
        bits.append({each.bits for each in runner._module.modules() if isinstance(each, Form)})
        return passes(trial, runner, steps)

    monkeypatch.setattr(Trial, "passes", noted)
    model = driven(draft=draft, quantization="int8")
    assert bits == [set(), set()]
    assert {8} <= {each.bits for each in model.engine._weights.module.modules() if isinstance(each, Form)}
    [(_, reason, tokens)] = answer(model, work())
    assert (reason, tokens) == ("length", 40)


def test_another_vocabulary_is_refused(driven: Callable[..., Any], tmp_path: Path) -> None:
    other = make_byte_fallback_tokenizer(strips=True)
    with pytest.raises(
        RequestFailed, match=r"cannot draft: it has another vocabulary .* number \d+ is .* here"
    ) as error:
        driven(draft=make_llama(tmp_path, other))
    assert (error.value.kind, error.value.param) == ("not_supported", "draft_model")


def test_marks_of_a_chat_may_differ(
    driven: Callable[..., Any], tokenizer: Any, llama_folder: Path, tmp_path: Path
) -> None:
    from transformers import AutoTokenizer

    other = AutoTokenizer.from_pretrained(llama_folder)
    other.add_special_tokens({"additional_special_tokens": ["<|tool|>"]})
    assert driven(draft=make_llama(tmp_path, other)).engine.model.operations


@pytest.mark.parametrize("mamba_drafts", [True, False])
def test_a_model_that_takes_nothing_back_neither_drafts_nor_is_drafted_for(
    driven: Callable[..., Any], llama_folder: Path, tokenizer: Any, tmp_path: Path, mamba_drafts: bool
) -> None:
    build("Mamba").save_pretrained(tmp_path)
    tokenizer.save_pretrained(tmp_path)
    folders = (
        {"folder": llama_folder, "draft": tmp_path} if mamba_drafts else {"folder": tmp_path, "draft": llama_folder}
    )
    with pytest.raises(RequestFailed, match=r"cannot draft: ") as error:
        driven(**folders)
    assert error.value.param == "draft_model"
