"""Answers with adapters, beside each other and beside those of the base: each is what peft generates by itself."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import language_models
import pytest
import torch
from llamafarm_universal.engine import Engine, Finished, Generate, Piece, RequestFailed, Sampling, TextPrompt
from llamafarm_universal.host.engines.text.context import Context, Reading
from llamafarm_universal.host.engines.text.encoder_decoder_runner import EncoderDecoderRunner
from llamafarm_universal.host.engines.text.guesses import Guesses
from llamafarm_universal.host.engines.text.kv_cache import KVCache
from llamafarm_universal.host.engines.text.prompt_lookup import PromptLookup
from llamafarm_universal.host.engines.text.runner import runner_of
from llamafarm_universal.host.models.lora import AdaptedLayers, Adapter, applied, read_adapter
from llamafarm_universal.messages import LoadSettings, Machine, ModelRef
from llamafarm_universal.messages.plan import Limits, LoadPlan
from llamafarm_universal.safetensors import count_parameters
from llamafarm_universal.store.beside import OF_THE_BASE
from llamafarm_universal.store.plan import make_plan
from lora_models import KINDS, generated, make_kind, save_tuned
from peft import LoraConfig

GREEDY: dict[str, Any] = {"temperature": 0, "logit_bias": {2: -100.0}}
PAST_ENDS: dict[str, Any] = {"logit_bias": {}, "ignore_eos": True}
"""Answers as long as GREEDY ones, of which a few tokens may be guessed at once."""
TEXT = "hello world, the quick brown fox"


@pytest.fixture(scope="module")
def kinds(llama_folder: Path, models_folder: Path) -> Mapping[str, Path]:
    """An adapter of each kind."""
    return {kind: make_kind(llama_folder, models_folder / f"kind_{kind}", kind) for kind in KINDS}


def plan_of(base: Path, adapter: Path, **settings: Any) -> LoadPlan:
    ref = ModelRef(str(base), LoadSettings(device="cpu", dtype="fp32", adapter=str(adapter), **settings))
    return make_plan(ref, base, Machine(), Limits(), beside=adapter)


class Adapted:
    """The small Llama with adapters, driven by hand. None is the base without any."""

    def __init__(self, driven: Any, base: Path, adapters: Mapping[str, Path], **settings: Any) -> None:
        self.driven = driven
        self.base = base
        self.engines: dict[str | None, Engine] = {None: driven.engine}
        self.loaded: dict[str, Adapter] = {}
        for name, folder in adapters.items():
            self.load(name, folder, **settings)

    def load(self, name: str, folder: Path, **settings: Any) -> None:
        plan = plan_of(self.base, folder, **settings)
        adapter = self.loaded[name] = self.driven.engine.read_adapter(plan)
        self.engines[name] = self.driven.engine.adapted(plan, adapter)

    def start(self, name: str | None, prompt: str = TEXT, tokens: int = 12, salt: str = "", **sampling: Any) -> str:
        work = Generate(TextPrompt(prompt), Sampling(max_tokens=tokens, **{**GREEDY, **sampling}), cache_salt=salt)
        request_id = f"request-{len(self.driven.told)}"
        events = self.driven.told.setdefault(request_id, [])
        engine = self.engines[name]
        engine.submit(request_id, work, engine.prepare(work), events.append)
        return request_id

    def answers(self, *asked: tuple[Any, ...], **sampling: Any) -> list[Any]:
        """What those asked at once are told: (adapter, prompt, tokens) of each."""
        started = [self.start(*each, **sampling) for each in asked]
        self.driven.run()
        return [self.driven.answer(request_id) for request_id in started]

    def cached(self, request_id: str) -> int:
        """How many tokens of a prompt were read before."""
        self.driven.run()
        [end] = [event for event in self.driven.told[request_id] if isinstance(event, Finished)]
        assert end.usage is not None
        return end.usage.cached_tokens

    def logprobs(self, request_id: str) -> list[float]:
        pieces = [event for event in self.driven.told[request_id] if isinstance(event, Piece)]
        return [token.logprob for piece in pieces for token in piece.logprobs]


@pytest.fixture
def adapted(driven: Callable[..., Any], llama_folder: Path, kinds: Mapping[str, Path]) -> Adapted:
    return Adapted(driven(), llama_folder, kinds)


@pytest.mark.parametrize("kind", [None, *KINDS])
def test_an_answer_has_the_tokens_that_peft_generates(
    adapted: Adapted, kinds: Mapping[str, Path], llama_folder: Path, tokenizer: Any, kind: str | None
) -> None:
    adapted.answers((kind, TEXT, 24))
    assert adapted.driven.chosen == generated(llama_folder, kinds[kind] if kind else None, tokenizer, TEXT, 24)


@pytest.mark.parametrize("kind", KINDS)
def test_an_adapter_takes_what_its_plan_says(
    adapted: Adapted, kinds: Mapping[str, Path], llama_folder: Path, kind: str
) -> None:
    planned = plan_of(llama_folder, kinds[kind])
    assert adapted.loaded[kind].memory_bytes == planned.weight_bytes == 4 * planned.parameters


def test_answers_with_many_adapters_at_once_are_what_each_is_alone(adapted: Adapted) -> None:
    asked = [(kind, f"{TEXT} {'jumps ' * times}", 5 + 7 * times) for times in range(4) for kind in [None, *KINDS]]
    assert adapted.answers(*asked) == [adapted.answers(each)[0] for each in asked]
    assert len({text for text, _, _ in adapted.answers(*[(kind, TEXT, 12) for kind in [None, *KINDS]])}) == 8


def test_they_are_read_in_one_forward_but_for_those_that_change_the_logits_own_layer(adapted: Adapted) -> None:
    mixed = [kind for kind, adapter in adapted.loaded.items() if adapter.mixes]
    assert mixed == ["narrow", "wide", "by_pattern", "dora", "embedding"]
    runner, forwards = adapted.driven.engine._runner, []
    run = runner.run
    runner.run = lambda readings: (forwards.append(len(readings)), run(readings))[1]  # type: ignore[method-assign]
    for kind in [None, *mixed]:
        adapted.start(kind, "hello", 2)
    adapted.driven.run()
    assert forwards == [6, 6]


def test_the_base_is_told_the_same_to_the_last_bit_whatever_adapters_are_beside_it(
    adapted: Adapted, driven: Callable[..., Any], llama_folder: Path
) -> None:
    plain = Adapted(driven(), llama_folder, {})
    [alone, *_] = [plain.start(None, logprobs=True, salt=str(number)) for number in range(4)]
    plain.driven.run()
    [beside, *_] = [adapted.start(kind, logprobs=True) for kind in (None, "narrow", "wide", "dora")]
    adapted.driven.run()
    assert adapted.logprobs(beside) == plain.logprobs(alone)


def test_texts_share_what_was_read_with_the_same_adapter_alone(adapted: Adapted, kinds: Mapping[str, Path]) -> None:
    long = TEXT * 6
    assert [adapted.cached(adapted.start(kind, long)) > 0 for kind in (None, None)] == [False, True]
    assert [adapted.cached(adapted.start(kind, long)) > 0 for kind in ("wide", "narrow", "wide")] == [
        False,
        False,
        True,
    ]
    assert adapted.cached(adapted.start("wide", long, salt="another tenant")) == 0
    adapted.engines.pop("wide").close()
    adapted.load("wide", kinds["wide"])  # its files may have changed
    assert adapted.cached(adapted.start("wide", long)) == 0
    assert adapted.cached(adapted.start(None, long)) > 0


def test_a_scale_says_how_strongly_it_changes_the_model(
    adapted: Adapted, kinds: Mapping[str, Path], llama_folder: Path
) -> None:
    adapted.load("nothing", kinds["wide"], adapter_scale=0.0)
    adapted.load("half", kinds["wide"], adapter_scale=0.5)
    base, nothing, half, whole = adapted.answers(*[(name, TEXT, 12) for name in (None, "nothing", "half", "wide")])
    assert nothing == base
    assert len({base[0], half[0], whole[0]}) == 3


@pytest.fixture
def guessed(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many tokens were guessed in each step with guesses; all that can be is guessed, whether or not it pays."""
    counts: list[int] = []

    def observe(guesses: Guesses, _seconds: float, _tokens: int, count: int) -> None:
        guesses._since_plain = 0
        counts.extend([count] if count else [])

    monkeypatch.setattr(Guesses, "observe", observe)
    return counts


def test_what_was_guessed_right_is_kept_and_what_was_not_is_read_with_the_adapter(
    adapted: Adapted,
    kinds: Mapping[str, Path],
    llama_folder: Path,
    tokenizer: Any,
    guessed: list[int],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    expected = generated(llama_folder, kinds["wide"], tokenizer, TEXT, 40, past_ends=True)
    monkeypatch.setattr(
        PromptLookup, "guess", lambda _, sequence, most: (*expected[sequence.count :][:2], 5)[: min(most, 3)]
    )
    adapted.answers(("wide", TEXT, 40), **PAST_ENDS)
    assert adapted.driven.chosen == expected
    assert len(guessed) < 20


def test_guesses_of_a_draft_model_change_no_answer(
    driven: Callable[..., Any], kinds: Mapping[str, Path], llama_folder: Path, tokenizer: Any, guessed: list[int]
) -> None:
    """It has no adapter, and guesses wrongly: what is kept is what the model says with one."""
    drafted = Adapted(driven(draft=llama_folder), llama_folder, {"wide": kinds["wide"]})
    drafted.answers(("wide", TEXT, 24), **PAST_ENDS)
    assert guessed
    assert drafted.driven.chosen == generated(llama_folder, kinds["wide"], tokenizer, TEXT, 24, past_ends=True)


def test_a_step_with_an_adapter_is_not_replayed_from_a_recording(adapted: Adapted) -> None:
    """A recording has the layers as they were without."""

    class Recording:
        replayed = 0

        def logits(self, ids: Any, spans: Any) -> Any:
            self.replayed += 1
            raise AssertionError("replayed")

    recording = adapted.driven.engine._runner._decode = Recording()
    [(_, reason, count)] = adapted.answers(("wide", TEXT, 6))
    assert (reason, count, recording.replayed) == ("length", 6, 0)
    adapted.start(None, tokens=2)
    adapted.driven.run()
    assert recording.replayed == 1


def test_an_adapter_that_is_dropped_leaves_the_layers_as_they_were(adapted: Adapted) -> None:
    module = adapted.driven.engine._weights.module
    [before] = adapted.answers((None, TEXT, 12))
    for kind in KINDS:
        adapted.engines.pop(kind).close()
    assert not any(layer._forward_hooks for layer in module.modules())
    assert adapted.answers((None, TEXT, 12)) == [before]


@pytest.mark.parametrize("quantization", ["int8", "int4"])
def test_a_model_with_few_bits_has_adapters_too(
    driven: Callable[..., Any], llama_folder: Path, kinds: Mapping[str, Path], quantization: Any
) -> None:
    """Scaled down to nothing it changes nothing. What a layer gives with it: tests/host/models/lora."""
    few = Adapted(driven(quantization=quantization), llama_folder, kinds)
    few.load("nothing", kinds["wide"], adapter_scale=0.0)
    base, nothing, wide, dora = [few.answers((name, TEXT, 12))[0] for name in (None, "nothing", "wide", "dora")]
    assert nothing == base
    assert len({base[0], wide[0], dora[0]}) == 3


def test_two_hundred_requests_that_come_and_go_are_answered_as_alone(adapted: Adapted) -> None:
    chance = random.Random(0)
    names = [None, "narrow", "wide", "by_pattern", "head"]
    prompts = [TEXT, "the lazy dog " * 9, "hello", "over and over " * 20]
    asked = [(name, prompt, count) for name in names for prompt in prompts for count in (1, 9, 17)]
    alone = {each: adapted.answers(each)[0] for each in asked}
    running: dict[str, tuple[Any, ...]] = {}
    done: dict[str, tuple[Any, ...]] = {}
    for _ in range(200):
        each = chance.choice(asked)
        running[adapted.start(*each)] = each
        if chance.random() < 0.3:
            gone = chance.choice(list(running))
            adapted.driven.engine.cancel(gone)
            del running[gone]
        for _ in range(chance.randrange(4)):
            adapted.driven.engine.step()
        ended = [name for name in running if any(isinstance(event, Finished) for event in adapted.driven.told[name])]
        done |= {name: running.pop(name) for name in ended}
    adapted.driven.run()
    done |= running
    assert len(done) > 130
    assert {name: adapted.driven.answer(name) for name in done} == {name: alone[each] for name, each in done.items()}


OTHERS: dict[str, list[str]] = {
    "GPT2": ["c_attn", "c_proj"],  # its layers are turned
    "Gemma3Text": ["q_proj", "embed_tokens"],  # its embeddings are scaled
    "Mixtral": ["q_proj", "o_proj"],
    "Phi3": ["qkv_proj", "down_proj"],  # short texts and long ones are read apart
    "Mamba": ["in_proj", "x_proj"],
    "Lfm2": ["q_proj", "in_proj", "w1"],
    "Bloom": ["query_key_value", "dense"],
}
"""Of other families, some of the layers that have adapters."""
BIASES: dict[str, dict[str, Any]] = {
    "GPT2": {"bias": "all"},  # those of its norms, too
    "Phi3": {"lora_bias": True},
    "Bloom": {"bias": "lora_only"},
}
"""Of some, the biases that are trained too."""


@pytest.mark.parametrize("name", OTHERS)
def test_models_of_other_families_are_changed_as_by_peft(name: str, tmp_path: Path) -> None:
    """Each text is read in pieces where that can be, and beside one of the base."""
    biases = BIASES.get(name, {})
    config = LoraConfig(r=2, lora_alpha=2, target_modules=OTHERS[name], init_lora_weights=False, **biases)
    tuned = save_tuned(language_models.build(name), tmp_path, config)
    module = language_models.build(name)
    runner = runner_of(module, "cpu")
    layers = AdaptedLayers(module)
    adapter = read_adapter(hand_made_plan(tmp_path), module)
    layers.put(adapter)
    cache = KVCache(200, shares=False)
    runner.allocate(200)
    texts = [Context(language_models.prompt(20), adapter=adapter), Context(language_models.prompt(20))]
    for text in texts:
        text.table = cache.open(text.tokens, "")
        assert cache.grow(text.table, 40)
    for _ in range(10):
        for batch in [texts] if runner.mixes_adapters else [[text] for text in texts]:
            with applied([(batch[0].adapter, 1)] if len(batch) == 1 else []):
                logits = runner.run([Reading(text, text.unread) for text in batch])
            for text, row in zip(batch, logits, strict=True):
                text.stored = len(text.tokens)
                text.tokens.append(int(row.argmax()))
    for text, model in zip(texts, (tuned, language_models.build(name)), strict=True):
        with torch.inference_mode():
            settings = {"max_new_tokens": 10, "do_sample": False, "eos_token_id": None, "pad_token_id": 0}
            [row] = model.generate(input_ids=torch.tensor([text.tokens[:20]]), **settings)
        assert text.tokens == row.tolist()
    adapter.check_use()
    numbers = count_parameters(tmp_path, "adapter_model.safetensors", leave=OF_THE_BASE)
    assert adapter.memory_bytes == 4 * numbers


def test_an_encoder_decoder_is_changed_on_both_sides(tmp_path: Path) -> None:
    config = LoraConfig(r=2, lora_alpha=2, target_modules=["q", "wo"], init_lora_weights=False)
    tuned = save_tuned(language_models.build_encoder_decoder("T5"), tmp_path, config)
    module = language_models.build_encoder_decoder("T5")
    runner = EncoderDecoderRunner(module, "cpu")
    adapter = read_adapter(hand_made_plan(tmp_path), module)
    AdaptedLayers(module).put(adapter)
    text = Context([0], source=tuple(language_models.prompt(12)), adapter=adapter)
    for _ in range(8):
        with applied([(adapter, 1)]):
            [row] = runner.run([Reading(text, text.unread)])
        text.stored = len(text.tokens)
        text.tokens.append(int(row.argmax()))
    with torch.inference_mode():
        ids = torch.tensor([text.source])
        settings = {"max_new_tokens": 8, "do_sample": False, "eos_token_id": None, "pad_token_id": 0}
        [expected] = tuned.generate(input_ids=ids, **settings)
    assert text.tokens == expected.tolist()


def hand_made_plan(folder: Path) -> LoadPlan:
    """The plan of an adapter for a model that lies in no files."""
    ref = ModelRef("org/base", LoadSettings(adapter=str(folder)))
    weights = folder / "adapter_model.safetensors"
    return LoadPlan(ref, folder, {}, "text", "cpu", "fp32", 0, weights)


def test_a_layer_that_the_model_never_calls_ends_the_request_and_says_so(adapted: Adapted) -> None:
    """Some models compute with a layer's weight themselves."""
    for layer in adapted.driven.engine._weights.module.model.layers:
        kind = type(layer.self_attn.q_proj)
        layer.self_attn.q_proj.__class__ = type("Uncalled", (kind,), {"__call__": kind.forward})
    request_id = adapted.start("narrow")
    adapted.driven.run()
    [_, failed] = adapted.driven.told[request_id]
    assert (
        "narrow` changes `model.layers.0.self_attn.q_proj`, which this model computes without calling" in failed.message
    )
    assert adapted.answers((None, TEXT, 3))


def test_experts_that_no_token_goes_to_are_no_such_layers() -> None:
    adapter = Adapter("`org/base` with the adapter `a`", {f"experts.{number}.up": None for number in range(3)})  # type: ignore[misc]
    adapter.unused.discard("experts.1.up")
    adapter.check_use()
    adapter.unused.add("experts.1.up")
    with pytest.raises(RequestFailed, match=r"changes `experts\.0\.up`"):
        adapter.check_use()
