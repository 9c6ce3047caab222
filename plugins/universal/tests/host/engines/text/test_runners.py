"""Texts that are read together, in pieces and beside each other, give what each gives by itself at once.

On an NVIDIA GPU, where there is one; else on the processor.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any

import language_models as models
import pytest
import torch
from llamafarm_universal.host.engines.text.context import Context, Reading
from llamafarm_universal.host.engines.text.flat_runner import FlatRunner
from llamafarm_universal.host.engines.text.kv_cache import KVCache, blocks_for
from llamafarm_universal.host.engines.text.pageable import NotPaged
from llamafarm_universal.host.engines.text.runner import Runner, runner_of
from llamafarm_universal.host.engines.text.single_runner import SingleRunner
from llamafarm_universal.host.engines.text.state_runner import StateRunner

DEVICE = "cuda" if torch.cuda.is_available() else "cpu"
LENGTHS = (1, 5, 16, 17, 40, 70)
ANSWER = 12


def build(name: str, dtype: torch.dtype = torch.float32) -> Any:
    return models.build(name, dtype).to(DEVICE)


def contexts(runner: Runner, prompts: list[list[int]], *, scattered: bool = False) -> list[Context]:
    """Texts with room for their answers. scattered: their blocks do not lie in one piece."""
    cache = KVCache(200, shares=runner.shares)
    runner.allocate(200)
    texts = [Context(list(tokens)) for tokens in prompts]
    for text in texts:
        text.table = cache.open(text.tokens, "")
    for size in range(16, 112, 16) if scattered else (112,):
        for text in texts:
            assert text.table is not None
            assert cache.grow(text.table, size)
    return texts


def write(runner: Runner, texts: list[Context], chance: random.Random, answer: int = ANSWER) -> None:
    """Read the prompts in pieces of random sizes, and write so many tokens to each: the likeliest ones."""
    ends = [len(text.tokens) + answer for text in texts]
    while any(len(text.tokens) < end for text, end in zip(texts, ends, strict=True)):
        open_texts = [text for text, end in zip(texts, ends, strict=True) if len(text.tokens) < end]
        chosen = [text for text in open_texts if chance.random() < 0.7] or open_texts[:1]
        pieces = runner.reads_in_chunks
        readings = [Reading(text, chance.randint(1, text.unread) if pieces else text.unread) for text in chosen]
        logits = iter(runner.run(readings))
        for reading in readings:
            completes = reading.completes
            reading.context.stored += reading.count
            if completes:
                reading.context.tokens.append(int(next(logits).argmax()))


def kind_of(name: str) -> type[Runner]:
    if name in models.STATEFUL:
        return StateRunner
    return FlatRunner if name in models.FLAT else SingleRunner


def generated(model: Any, tokens: list[int]) -> list[int]:
    with torch.inference_mode():
        row = model.generate(
            torch.tensor([tokens], device=DEVICE),
            max_new_tokens=ANSWER,
            min_new_tokens=ANSWER,
            do_sample=False,
            eos_token_id=None,
        )
    return [int(token) for token in row[0]]


@pytest.mark.parametrize("name", [*models.FLAT, *models.STATEFUL, *models.SINGLE])
def test_texts_are_those_that_transformers_generates_alone(name: str) -> None:
    model = build(name)
    prompts = [models.prompt(length, length) for length in LENGTHS]
    wanted = [generated(model, tokens) for tokens in prompts]
    runner = runner_of(model, DEVICE)
    assert isinstance(runner, kind_of(name))
    assert runner.reads_in_chunks is (name not in models.FORGETFUL)
    for seed, scattered in enumerate((False, True)):
        texts = contexts(runner, prompts, scattered=scattered)
        write(runner, texts, random.Random(seed))
        assert [text.tokens for text in texts] == wanted


@pytest.mark.parametrize("name", [*models.FLAT, *models.STATEFUL])
def test_in_bf16_texts_are_read_together_too(name: str) -> None:
    runner = runner_of(build(name, torch.bfloat16), DEVICE)
    assert isinstance(runner, kind_of(name))


def test_all_texts_of_a_step_are_one_row_of_the_model() -> None:
    model = build("Llama")
    runner = FlatRunner(model, DEVICE)
    seen: list[tuple[int, ...]] = []
    model.model.layers[0].mlp.register_forward_hook(lambda _module, given, _output: seen.append(given[0].shape[:-1]))
    texts = contexts(runner, [models.prompt(9), models.prompt(30)])
    logits = runner.run([Reading(texts[0], 9), Reading(texts[1], 20)])
    assert seen == [(1, 29)]
    assert logits.shape == (1, 300)  # the second text is not complete yet
    assert logits.dtype == torch.float32


def test_states_of_texts_that_go_on_together_are_stacked_once() -> None:
    runner = StateRunner(build("Mamba2"), DEVICE)
    texts = contexts(runner, [models.prompt(9), models.prompt(30), models.prompt(12)])
    caches = []
    for going in (texts, texts, texts, texts[1:], texts[1:], texts):
        readings = [Reading(text, text.unread) for text in going]
        runner.run(readings)
        for reading in readings:
            reading.context.stored += reading.count
            reading.context.tokens.append(7)
        caches.append([text.state.cache for text in going])
    assert [len(set(step)) for step in caches] == [3, 1, 1, 1, 1, 1]  # prompts are read by themselves
    assert caches[1] == caches[2]
    assert caches[3] == caches[4]


@pytest.mark.parametrize("name", ["Mamba2", "Jamba"])
def test_texts_that_a_step_has_failed_for_are_read_anew(name: str) -> None:
    model = build(name)
    prompts = [models.prompt(9), models.prompt(30)]
    wanted = [generated(model, tokens) for tokens in prompts]
    runner = StateRunner(model, DEVICE)
    texts = contexts(runner, prompts)
    write(runner, texts, random.Random(0), answer=3)

    def fail(*_: Any) -> None:
        raise MemoryError

    broken = model.get_output_embeddings().register_forward_pre_hook(fail)
    with pytest.raises(MemoryError):
        runner.run([Reading(text, 1) for text in texts])
    broken.remove()
    write(runner, texts, random.Random(1), answer=ANSWER - 3)
    assert [text.tokens for text in texts] == wanted


@pytest.mark.parametrize("name", ["Mamba2", "Jamba"])
@pytest.mark.parametrize("broken", [7, 40])
def test_texts_that_were_read_in_a_step_before_another_one_failed_are_not_read_twice(name: str, broken: int) -> None:
    """A step of three forwards: two prompts, then answers that go on. What has failed is read again, text by text."""
    model = build(name)
    prompts = [models.prompt(length, length) for length in (9, 12, 7, 40)]
    wanted = [generated(model, tokens) for tokens in prompts]
    runner = StateRunner(model, DEVICE)
    texts = contexts(runner, prompts)
    write(runner, texts[:2], random.Random(0), answer=3)

    def fail(_module: Any, given: tuple[torch.Tensor, ...]) -> None:
        if given[0].shape[1] == broken:
            raise MemoryError

    hook = model.get_input_embeddings().register_forward_pre_hook(fail)
    with pytest.raises(MemoryError):
        runner.run([Reading(text, text.unread) for text in texts])
    hook.remove()
    assert [text.state is None for text in texts] == [False, False, True, True]
    for text in texts:
        [row] = runner.run([Reading(text, text.unread)])
        text.stored = len(text.tokens)
        text.tokens.append(int(row.argmax()))
    for text, tokens in zip(texts, wanted, strict=True):
        write(runner, [text], random.Random(1), answer=len(tokens) - len(text.tokens))
    assert [text.tokens for text in texts] == wanted


def test_a_text_that_becomes_long_is_read_anew_where_its_keys_become_others() -> None:
    runner = FlatRunner(build("Phi3"), DEVICE)
    assert not runner.shares
    assert not runner.takes_guesses
    reads: list[list[int]] = []
    read = runner._read

    def noted(readings: Sequence[Reading]) -> torch.Tensor:
        reads.append([reading.count for reading in readings])
        return read(readings)

    runner._read = noted  # type: ignore[method-assign]
    texts = contexts(runner, [models.prompt(9), models.prompt(23), models.prompt(30)])
    for _ in range(3):
        readings = [Reading(text, text.unread) for text in texts]
        for reading, row in zip(readings, runner.run(readings), strict=True):
            reading.context.stored += reading.count
            reading.context.tokens.append(int(row.argmax()))
    assert reads == [[9, 23], [30], [1, 1], [1], [1], [25, 1]]


def test_a_model_that_reads_long_texts_anew_is_not_read_flat_with_media() -> None:
    """What a model made of a picture is kept until it has been read."""

    class Passing:
        def passes_by(self, _runner: Runner) -> bool:
            return True

    with pytest.raises(NotPaged, match="reads long texts anew"):
        FlatRunner(build("Phi3"), DEVICE, Passing())
    assert FlatRunner(build("Llama"), DEVICE, Passing())


def test_shared_blocks_are_not_read_again() -> None:
    model = build("Llama")
    tokens = models.prompt(50)
    wanted = generated(model, tokens)
    runner, cache = FlatRunner(model, DEVICE), KVCache(20)
    runner.allocate(20)
    for shared in (0, 48):
        text = Context(list(tokens))
        text.table = cache.open(text.tokens, "")
        text.stored = len(text.table.blocks) * 16
        assert text.stored == shared
        assert cache.grow(text.table, 62)
        while len(text.tokens) < 62:
            token = int(runner.run([Reading(text, text.unread)])[0].argmax())
            text.stored = len(text.tokens)
            text.tokens.append(token)
            cache.stored(text.table, text.tokens, text.stored)
        assert text.tokens == wanted


def test_a_text_that_came_to_nothing_spoils_no_other_one() -> None:
    model = build("Llama")
    runner, cache = FlatRunner(model, DEVICE), KVCache(2)
    runner.allocate(2)
    tokens = models.prompt(20)
    broken = Context(list(tokens), table=cache.open(tokens, ""))
    cache.grow(broken.table, 32)
    for store in (*runner._store.keys.values(), *runner._store.values.values()):
        store[:] = float("nan")
    runner.wipe(broken)
    assert all(not store.any() for store in runner._store.keys.values())


def test_what_the_cache_takes_is_known() -> None:
    for name in ("Llama", "GPT2"):
        runner = FlatRunner(build(name), DEVICE)
        heads = 2 if name == "Llama" else 4
        assert runner.token_bytes == 2 * 2 * heads * 16 * 4  # layers, keys and values, heads, size, bytes
    assert SingleRunner(build("Bloom"), DEVICE).token_bytes == 2 * 2 * 4 * 16 * 4
    states = 2 * 128 * (8 + 4) * 4  # layers, inner size, state and convolution, bytes
    for runner_kind, stacks in ((SingleRunner, 1), (StateRunner, 2)):
        stateful = runner_kind(build("Mamba"), DEVICE)
        assert (stateful.token_bytes, stateful.text_bytes) == (0, stacks * states)
    hybrid = StateRunner(build("Jamba"), DEVICE)
    assert hybrid.token_bytes == 1 * 2 * 2 * 16 * 4  # of its one layer with attention
    assert blocks_for(17) == 2


@pytest.mark.parametrize("name", ["MiniMax", "Bloom", "Jamba"])
def test_a_model_that_cannot_be_read_flat_is_left_as_it_was(name: str) -> None:
    model = build(name)
    before = model.config._attn_implementation
    with pytest.raises(NotPaged):
        FlatRunner(model, DEVICE)
    assert model.config._attn_implementation == before
