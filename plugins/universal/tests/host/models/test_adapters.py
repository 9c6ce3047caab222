"""Adapters on their base models: answers equal those of peft itself."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from llamafarm_universal.failure import RequestFailed
from llamafarm_universal.host.engines.encode.load import load_encoder
from llamafarm_universal.host.models.adapters import tokenizer_folder
from llamafarm_universal.host.models.loader import load_weights
from llamafarm_universal.messages import Embed, Load, LoadSettings, Machine, ModelRef
from llamafarm_universal.messages.plan import Limits, LoadPlan
from llamafarm_universal.store.hub import locate
from llamafarm_universal.store.plan import make_plan
from peft import AutoPeftModelForCausalLM, LoraConfig, PeftModel, PrefixTuningConfig
from tiny_models import make_adapter
from transformers import AutoModel, AutoModelForCausalLM, AutoTokenizer

pytestmark = pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing`:FutureWarning")  # peft's own

PROMPT = "hello world, the quick"
NO_END = {2: -100.0}


def plan_of(adapter: Path, base: Path) -> LoadPlan:
    return make_plan(ModelRef(str(adapter)), base, Machine(), Limits(), adapter=adapter)


@pytest.fixture(scope="module")
def lora(llama_folder: Path, models_folder: Path) -> Path:
    return make_adapter(llama_folder, models_folder / "own_lora", str(llama_folder))


@pytest.fixture
def adapted(lora: Path) -> Any:
    """What peft itself makes of the adapter and its base model."""
    return AutoPeftModelForCausalLM.from_pretrained(lora).eval()


def test_answers_equal_those_of_peft_and_not_those_of_the_base_model(
    host: Any, llama: ModelRef, lora: Path, tokenizer: Any, adapted: Any
) -> None:
    ids = tokenizer(PROMPT, return_tensors="pt")
    expected = adapted.generate(**ids, max_new_tokens=20, do_sample=False, bad_words_ids=[[2]], pad_token_id=0)
    text = tokenizer.decode(expected[0, ids["input_ids"].shape[1] :])
    options = {"max_tokens": 20, "temperature": 0, "logit_bias": NO_END}
    plan = plan_of(lora, Path(llama.id))
    ref = plan.ref
    host.send(Load("lora", plan, 0))
    assert host.answer("lora").last.model.ref == ref
    assert host.generate(ref, PROMPT, **options).text() == text.rstrip("�")  # half a character at the end is not told
    assert host.generate(llama, PROMPT, **options).text() != text
    assert host.unload(ref).last


def test_the_weights_are_the_merged_ones(lora: Path, llama_folder: Path, tokenizer: Any, adapted: Any) -> None:
    weights = load_weights(plan_of(lora, llama_folder), AutoModelForCausalLM)
    ids = tokenizer(PROMPT, return_tensors="pt")["input_ids"]
    with torch.inference_mode():
        torch.testing.assert_close(weights.module(ids).logits, adapted(ids).logits, atol=1e-4, rtol=1e-4)
    assert weights.parameters == AutoModelForCausalLM.from_pretrained(llama_folder).num_parameters()
    assert not [name for name, _ in weights.module.named_modules() if "lora" in name]


def test_tokens_of_the_training_come_with_the_adapter(
    llama_folder: Path, models_folder: Path, tokenizer: Any, tmp_path: Path
) -> None:
    from transformers import AutoTokenizer

    own = AutoTokenizer.from_pretrained(llama_folder)
    own.add_tokens(["<tool>"])
    base = AutoModelForCausalLM.from_pretrained(llama_folder)
    base.resize_token_embeddings(len(own))
    base.save_pretrained(tmp_path / "resized")
    config = LoraConfig(target_modules=["q_proj"], modules_to_save=["embed_tokens", "lm_head"], init_lora_weights=False)
    folder = make_adapter(tmp_path / "resized", tmp_path / "adapter", str(llama_folder), config)
    own.save_pretrained(folder)
    plan = plan_of(folder, llama_folder)
    assert tokenizer_folder(plan) == folder
    weights = load_weights(plan, AutoModelForCausalLM)
    assert weights.tokenizer.convert_tokens_to_ids("<tool>") == len(tokenizer)
    assert weights.module.get_input_embeddings().weight.shape[0] == len(own)


def test_an_adapter_that_is_no_change_of_weights_is_refused(llama_folder: Path, tmp_path: Path) -> None:
    config = PrefixTuningConfig(num_virtual_tokens=4, task_type="CAUSAL_LM")
    folder = make_adapter(llama_folder, tmp_path / "prefix", str(llama_folder), config)
    with pytest.raises(RequestFailed, match="of the kind PREFIX_TUNING, which cannot be merged") as caught:
        load_weights(plan_of(folder, llama_folder), AutoModelForCausalLM)
    assert caught.value.kind == "not_supported"


def test_without_peft_an_adapter_says_what_to_install(
    lora: Path, llama_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = plan_of(lora, llama_folder)
    monkeypatch.setitem(__import__("sys").modules, "peft", None)
    with pytest.raises(RequestFailed, match="needs `peft`") as caught:
        load_weights(plan, AutoModelForCausalLM)
    assert "pip install" in (caught.value.hint or "")


ENCODER = LoraConfig(r=4, target_modules=["query", "value"], init_lora_weights=False, task_type="FEATURE_EXTRACTION")
TEXTS = ("hello world", "the quick brown fox")


def embedded(plan: LoadPlan) -> torch.Tensor:
    engine = load_encoder(plan)
    events: list[Any] = []
    work = Embed(TEXTS)
    engine.submit("r", work, engine.prepare(work), events.append)
    while engine.step():
        pass
    return torch.stack([torch.frombuffer(bytearray(vector), dtype=torch.float32) for vector in events[-1].value])


@pytest.mark.parametrize("layout", ["transformers", "sentence-transformers"])
def test_an_encoder_with_an_adapter_gives_the_vectors_of_peft(
    bert: ModelRef, minilm: ModelRef, tmp_path: Path, layout: str
) -> None:
    base = Path(bert.id) if layout == "transformers" else locate(minilm, lambda *_: None)
    adapter = make_adapter(base, tmp_path / "lora", str(base), ENCODER, "AutoModel")
    tokenizer = AutoTokenizer.from_pretrained(base)
    tuned = PeftModel.from_pretrained(AutoModel.from_pretrained(base), adapter).eval()
    batch = tokenizer(TEXTS, padding=True, return_tensors="pt")
    with torch.inference_mode():
        states, mask = tuned(**batch).last_hidden_state, batch["attention_mask"].unsqueeze(-1)
    expected = torch.nn.functional.normalize((states * mask).sum(1) / mask.sum(1), dim=-1)
    plan = plan_of(adapter, base)
    assert (plan.task, plan.engine) == ("embedding", "torch")
    torch.testing.assert_close(embedded(plan), expected, atol=1e-5, rtol=1e-5)
    assert not torch.allclose(embedded(make_plan(ModelRef(str(base)), base, Machine(), Limits())), expected, atol=1e-2)


@pytest.mark.filterwarnings("ignore:Found missing adapter keys")
def test_an_adapter_of_another_class_of_model_is_refused_and_never_left_out(llama_folder: Path, tmp_path: Path) -> None:
    """Its weights are named as those of a model with a head, and one that embeds has none."""
    config = LoraConfig(r=4, target_modules=["q_proj"], init_lora_weights=False)
    adapter = make_adapter(llama_folder, tmp_path / "headed", str(llama_folder), config)
    ref = ModelRef(str(adapter), LoadSettings(model_type="embedding"))
    with pytest.raises(RequestFailed, match=r"does not fit its base model, loaded for the task `embedding`") as caught:
        load_encoder(make_plan(ref, llama_folder, Machine(), Limits(), adapter=adapter))
    assert "`model_type`" in (caught.value.hint or "")
