"""A GGUF file is a model by itself: configuration, tokenizer and weights are those that were written into it."""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from pathlib import Path
from typing import Any

import gguf
import pytest
import torch
from gguf import GGMLQuantizationType as Kind
from gguf_files import write_gguf
from llamafarm_universal.engine import ChatPrompt, Embed, Generate, RequestFailed, Sampling, TextPrompt
from llamafarm_universal.gguf import read_header
from llamafarm_universal.host.engines.text.engine import TextEngine
from llamafarm_universal.host.models.gguf_files import gguf_failure
from llamafarm_universal.messages import Failed, LoadSettings, Machine, ModelRef
from llamafarm_universal.messages.plan import Limits, LoadPlan
from llamafarm_universal.store.hub import locate, on_disk
from llamafarm_universal.store.plan import make_plan
from transformers import AutoTokenizer

Write = Callable[..., Path]


@pytest.fixture(scope="module")
def llama(llama_folder: Path) -> Any:
    from transformers import AutoModelForCausalLM

    return AutoModelForCausalLM.from_pretrained(llama_folder)


@pytest.fixture
def write(llama: Any, tokenizer: Any, tmp_path: Path) -> Write:
    return lambda *how, **more: write_gguf(tmp_path / "mine.gguf", llama, tokenizer, *how, **more)


def plan_of(path: Path, **settings: Any) -> LoadPlan:
    ref = ModelRef(str(path), LoadSettings(device="cpu", dtype="fp32", **settings))
    return make_plan(ref, locate(ref, lambda *_: None), Machine(), Limits())


def events_of(engine: TextEngine, work: Any) -> list[Any]:
    told: list[Any] = []
    engine.submit("request", work, engine.prepare(work), told.append)
    while engine.step():
        pass
    return told


def test_the_header_tells_what_a_model_weighs(write: Write, llama: Any) -> None:
    path = write(Kind.Q8_0)
    plan = plan_of(path)
    assert plan.parameters == sum(tensor.numel() for tensor in llama.state_dict().values())
    assert plan.weight_bytes >= plan.parameters * 4, "they are plain numbers once they are loaded"
    assert (plan.task, plan.config["model_type"]) == ("text", "llama")
    assert plan.config["hidden_size"] == llama.config.hidden_size
    assert plan.working_bytes > 0
    stored = on_disk(str(path))
    assert stored is not None
    assert stored.complete


@pytest.mark.parametrize("tied", [False, True])
def test_a_head_that_the_file_leaves_out_is_weighed_as_a_copy_of_the_embedding(
    llama: Any, tokenizer: Any, tmp_path: Path, tied: bool
) -> None:
    from transformers import LlamaForCausalLM

    config = deepcopy(llama.config)
    config.tie_word_embeddings = tied
    model = LlamaForCausalLM(config)
    path = write_gguf(tmp_path / "mine.gguf", model, tokenizer)
    plan, copy = plan_of(path), model.get_input_embeddings().weight.numel() if tied else 0
    assert plan.parameters == sum(parameter.numel() for parameter in model.parameters())
    assert plan.weight_bytes == 4 * (plan.parameters + copy)
    assert plan.config["vocab_size"] == config.vocab_size


def test_answers_are_those_of_the_model_that_was_written(write: Write, llama: Any) -> None:
    path = write()
    (path.parent / "tokenizer_config.json").write_text('{"tokenizer_class": "Nonsense"}')  # of another model
    (path.parent / "adapter_config.json").write_text("{}")
    engine = TextEngine.load(plan_of(path), 0)
    tokens = [7, 20, 90, 33]
    sampling = Sampling(max_tokens=12, temperature=0, ignore_eos=True, logprobs=0)
    told = events_of(engine, Generate(TextPrompt(tuple(tokens)), sampling))
    with torch.inference_mode():
        wanted = llama.generate(
            torch.tensor([tokens]), max_new_tokens=12, min_new_tokens=12, do_sample=False, eos_token_id=None
        )
    spelled = engine._weights.tokenizer.convert_ids_to_tokens(wanted[0, len(tokens) :])
    logprobs = [each for event in told for each in getattr(event, "logprobs", ())]
    assert len(logprobs) == 12
    assert b"".join(each.token for each in logprobs).decode(errors="replace") == (
        engine._weights.tokenizer.convert_tokens_to_string(spelled)
    )
    assert {"chat", "tools"} <= engine.model.features
    chat = Generate(ChatPrompt(({"role": "user", "content": "hello"},)), Sampling(max_tokens=3, temperature=0))
    assert events_of(engine, chat)[-1].usage.completion_tokens <= 3
    embedded = events_of(engine, Embed(("hello world",)))
    assert not any(isinstance(event, Failed) for event in embedded)
    engine.close()


def test_a_file_is_looked_through_once_for_its_configuration_and_once_for_its_weights(
    write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks = []

    class Reader(gguf.GGUFReader):
        def __init__(self, *arguments: Any) -> None:
            looks.append(arguments)
            super().__init__(*arguments)

    monkeypatch.setattr(gguf, "GGUFReader", Reader)
    path = write()
    engine = TextEngine.load(plan_of(path), 0)
    assert len(looks) == 2
    usual = AutoTokenizer.from_pretrained(path.parent, gguf_file=path.name)
    assert len(looks) == 3, "they are counted"
    own = engine._weights.tokenizer
    assert type(own) is type(usual)
    assert own.backend_tokenizer.to_str() == usual.backend_tokenizer.to_str()
    assert own.chat_template == usual.chat_template
    engine.close()


@pytest.mark.parametrize("kind", [Kind.Q8_0, Kind.Q4_0])
def test_blocks_become_numbers(write: Write, llama: Any, kind: Kind) -> None:
    engine = TextEngine.load(plan_of(write(kind)), 0)
    ids = torch.tensor([[7, 20, 90, 33]])
    with torch.inference_mode():
        own, wanted = (model(ids).logits[0, -1] for model in (engine._weights.module, llama))
    assert torch.cosine_similarity(own, wanted, dim=0) > (0.999 if kind is Kind.Q8_0 else 0.9)
    engine.close()


def test_an_architecture_that_cannot_be_read_is_named(write: Write) -> None:
    plan = plan_of(write(architecture="rwkv7"))
    with pytest.raises(RequestFailed, match="architecture `rwkv7` cannot be read") as failed:
        TextEngine.load(plan, 0)
    assert failed.value.kind == "not_supported"
    assert "provider: ollama" in (failed.value.hint or "")


def test_without_the_library_the_error_names_it(write: Write) -> None:
    failure = gguf_failure(plan_of(write()), ImportError("Loading a GGUF checkpoint in PyTorch requires …"))
    assert failure is not None
    assert "`gguf`, with which they are read, is not installed" in failure.message
    assert failure.hint == "pip install 'llamafarm-universal[server]'"


def test_it_is_a_model_of_text_and_of_nothing_else(write: Write) -> None:
    with pytest.raises(RequestFailed, match="for `text` alone, not for `embedding`") as failed:
        plan_of(write(), model_type="embedding")
    assert failed.value.param == "model_type"


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"PK\3\4 something else", "is not a GGUF file"),
        (b"GGUF\1\0\0\0" + bytes(16), "version 1"),
        (b"GGUF\3\0\0\0", "damaged"),
        (b"GGUF\3\0\0\0" + b"\xff" * 16, "damaged"),
        (b"GGUF\3\0\0\0" + bytes(8) + b"\1" + bytes(7) + b"\xff" * 8, "damaged"),
        (b"GGUF\3\0\0\0" + bytes(8) + b"\1" + bytes(7) + bytes(8) + b"\x63\0\0\0", "damaged"),
    ],
)
def test_a_file_that_is_damaged_is_refused(tmp_path: Path, content: bytes, words: str) -> None:
    path = tmp_path / "mine.gguf"
    path.write_bytes(content)
    with pytest.raises(RequestFailed, match=words):
        read_header(path)


def test_a_header_that_is_cut_anywhere_is_refused(write: Write, tmp_path: Path) -> None:
    whole = write().read_bytes()[:4000]
    for length in range(0, 4000, 97):
        (tmp_path / "cut.gguf").write_bytes(whole[:length])
        with pytest.raises(RequestFailed):
            read_header(tmp_path / "cut.gguf")
