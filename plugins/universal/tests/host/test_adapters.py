"""Adapters that come to a model while it answers, and go."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from llamafarm_universal.messages import Embed, Failed, Finished, Load, Loaded, ModelRef, Run
from llamafarm_universal.messages.plan import LoadPlan
from llamafarm_universal.store.plan import make_plan
from lora_models import make_kind

GREEDY: dict[str, Any] = {"temperature": 0, "logit_bias": {2: -100.0}}


@pytest.fixture(scope="module")
def plans(host: Any, llama: ModelRef, models_folder: Path) -> dict[str, LoadPlan]:
    """How adapters of two kinds are put on the small Llama."""
    made = {}
    for kind in ("wide", "dora"):
        folder = make_kind(Path(llama.id), models_folder / f"host_{kind}", kind)
        ref = replace(llama, settings=replace(llama.settings, adapter=str(folder)))
        made[kind] = make_plan(ref, Path(llama.id), host.ready.machine, host.options, beside=folder)
    return made


def load(host: Any, plan: LoadPlan) -> Any:
    request_id = host.new_id()
    host.send(Load(request_id, plan, 0))
    return host.answer(request_id).last


def test_an_adapter_comes_while_answers_run_and_changes_none_of_them(
    host: Any, llama: ModelRef, plans: dict[str, LoadPlan]
) -> None:
    alone = host.generate(llama, "the lazy dog", max_tokens=300, **GREEDY).text()
    running = host.start(llama, "the lazy dog", max_tokens=300, **GREEDY)
    host.wait_for_acceptance(1)
    loaded = load(host, plans["wide"])
    assert isinstance(loaded, Loaded)
    assert loaded.model.operations == {"generate", "count", "count_texts"}
    assert 0 < loaded.model.memory_bytes == plans["wide"].weight_bytes
    tuned = host.start(plans["wide"].ref, "the lazy dog", max_tokens=20, **GREEDY)
    assert host.answer(running).text() == alone
    answer = host.answer(tuned)
    assert answer.accepted.model.ref == plans["wide"].ref
    assert answer.text() != alone[: len(answer.text())]
    host.unload(plans["wide"].ref)


def test_an_adapter_goes_with_its_answers_and_leaves_the_model(
    host: Any, llama: ModelRef, plans: dict[str, LoadPlan]
) -> None:
    for plan in plans.values():
        load(host, plan)
    wide, dora = (plans[kind].ref for kind in ("wide", "dora"))
    gone = host.start(wide, max_tokens=900, **GREEDY)
    others = [host.start(ref, max_tokens=100, **GREEDY) for ref in (llama, dora)]
    host.wait_for_acceptance(3)
    host.unload(wide)
    assert "has been unloaded" in host.answer(gone).failed.message
    assert all(isinstance(host.answer(each).last, Finished) for each in others)
    host.unload(dora)


def test_a_model_that_is_unloaded_takes_its_adapters_along(
    host: Any, llama: ModelRef, plans: dict[str, LoadPlan]
) -> None:
    host.need(llama)
    load(host, plans["wide"])
    running = host.start(plans["wide"].ref, max_tokens=900, **GREEDY)
    host.wait_for_acceptance(1)
    host.unload(llama)
    host.models.pop(plans["wide"].ref)
    assert "has been unloaded" in host.answer(running).failed.message
    assert host.unload(plans["wide"].ref).failed.kind == "model_not_found"
    refused = load(host, plans["wide"])
    assert (refused.kind, refused.param) == ("model_not_found", "model")
    assert not host.generate(llama, max_tokens=1).text().startswith("Failed")


def test_what_does_not_fit_is_refused_and_harms_nobody(
    host: Any, llama: ModelRef, plans: dict[str, LoadPlan], tmp_path: Path
) -> None:
    host.need(llama)
    (tmp_path / "adapter_config.json").write_text('{"peft_type": "IA3"}')
    failed = load(host, replace(plans["wide"], adapter=tmp_path / "adapter_model.safetensors"))
    assert isinstance(failed, Failed)
    assert "is of the kind IA3" in failed.message
    assert isinstance(load(host, plans["wide"]), Loaded)
    host.unload(plans["wide"].ref)


def test_a_model_with_an_adapter_says_what_it_cannot_do(host: Any, llama: ModelRef, plans: dict[str, LoadPlan]) -> None:
    host.need(llama)
    load(host, plans["dora"])
    request_id = host.new_id()
    host.send(Run(request_id, plans["dora"].ref, Embed(("hello",))))
    assert "it cannot do `embeddings`, only" in host.answer(request_id).failed.message
    host.unload(plans["dora"].ref)
