"""What may be loaded, and why other things may not."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from llamafarm_universal import catalogue
from llamafarm_universal.engine import EngineSpec, Fit
from llamafarm_universal.failure import RequestFailed
from llamafarm_universal.messages import LoadSettings, Machine, ModelRef
from llamafarm_universal.messages.plan import Limits
from llamafarm_universal.safetensors import SAFETENSORS, count_parameters
from llamafarm_universal.store.plan import make_plan


def change_config(folder: Path, **changes: Any) -> None:
    path = folder / "config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


def plan(folder: Path, **settings: Any) -> Any:
    return make_plan(ModelRef(str(folder), LoadSettings(**settings)), folder, Machine(), Limits())


def refusal(folder: Path, **settings: Any) -> RequestFailed:
    with pytest.raises(RequestFailed) as caught:
        plan(folder, **settings)
    return caught.value


def test_a_configuration_that_is_nested_without_end_is_damaged(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("[" * 100_000)
    error = refusal(tmp_path, trust_remote_code=True)
    assert error.kind == "load_failed"
    assert "has a config.json that is not JSON" in error.message


def test_a_plan_weighs_the_model_without_reading_its_weights(llama_folder: Path) -> None:
    from transformers import AutoModelForCausalLM

    count = AutoModelForCausalLM.from_pretrained(llama_folder).num_parameters()
    made = plan(llama_folder)
    assert (made.parameters, made.weight_bytes, made.dtype, made.task) == (count, 4 * count, "fp32", "text")
    assert plan(llama_folder, dtype="bf16").weight_bytes == 2 * count


def test_weights_that_could_execute_code_are_refused(copy_of: Callable[..., Path]) -> None:
    folder = copy_of()
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")
    failure = refusal(folder)
    assert failure.kind == "not_supported"
    assert "pytorch_model.bin" in failure.message


def test_a_part_of_a_model_that_could_execute_code_is_refused_too(copy_of: Callable[..., Path]) -> None:
    folder = copy_of()
    (folder / "2_Dense").mkdir()
    (folder / "2_Dense" / "pytorch_model.bin").write_bytes(b"")
    assert "2_Dense" in refusal(folder).message


def test_a_pickled_copy_beside_safetensors_is_left_alone(copy_of: Callable[..., Path]) -> None:
    folder = copy_of()
    (folder / "pytorch_model.bin").write_bytes(b"")
    assert plan(folder).task == "text"


def test_a_folder_without_weights_is_no_model(copy_of: Callable[..., Path]) -> None:
    folder = copy_of()
    (folder / "model.safetensors").unlink()
    assert refusal(folder).kind == "model_not_found"


def test_code_of_the_models_own_needs_permission(copy_of: Callable[..., Path]) -> None:
    folder = copy_of()
    change_config(folder, auto_map={"AutoModelForCausalLM": "modeling_mine.Mine"})
    failure = refusal(folder)
    assert (failure.kind, failure.param) == ("not_supported", "trust_remote_code")
    assert "trust_remote_code: true" in (failure.hint or "")
    assert plan(folder, trust_remote_code=True).task == "text"


def test_kernels_of_another_repository_are_code_too(copy_of: Callable[..., Path]) -> None:
    folder = copy_of()
    change_config(folder, _attn_implementation_internal="evil/kernels")
    assert "_attn_implementation_internal" in refusal(folder).message


@pytest.mark.parametrize("content", ["{", "[1]", ""])
def test_a_damaged_configuration_is_named(copy_of: Callable[..., Path], content: str) -> None:
    folder = copy_of()
    (folder / "config.json").write_text(content)
    failure = refusal(folder)
    assert failure.kind == "load_failed"
    assert "config.json" in failure.message


@pytest.mark.parametrize(
    "changes", [{"architectures": 5}, {"architectures": {}}, {"id2label": 3, "architectures": ["X"]}, {"dtype": []}]
)
def test_a_configuration_that_makes_no_sense_is_never_our_fault(
    copy_of: Callable[..., Path], changes: dict[str, Any]
) -> None:
    folder = copy_of()
    change_config(folder, **changes)
    try:
        assert plan(folder).task == "text"
    except RequestFailed as failure:
        assert failure.kind in ("load_failed", "not_supported")


@pytest.mark.parametrize("header", [b"[1]", b'{"w": 1}', b'{"w": {"shape": "x"}}', b'{"w": {}}', b"[" * 100_000])
def test_a_header_that_makes_no_sense_is_a_damaged_file(tmp_path: Path, header: bytes) -> None:
    (tmp_path / "model.safetensors").write_bytes(len(header).to_bytes(8, "little") + header)
    with pytest.raises(RequestFailed, match=r"model\.safetensors is damaged"):
        count_parameters(tmp_path)


def test_a_damaged_weights_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "model.safetensors").write_bytes(b"\xff" * 100)
    with pytest.raises(RequestFailed, match=r"model\.safetensors"):
        count_parameters(tmp_path)


def test_models_of_a_slow_engine_get_a_host_together(llama_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert not plan(llama_folder).host
    slow = EngineSpec("slow", ("text",), SAFETENSORS, lambda _: Fit("text", 1), no_load, isolated=True)
    monkeypatch.setattr(catalogue, "installed", lambda: (slow,))
    assert plan(llama_folder).host == plan(llama_folder, dtype="fp16").host == "slow text"


def test_a_model_that_asks_for_it_gets_a_host_for_itself(llama_folder: Path) -> None:
    own = plan(llama_folder, isolated=True).host
    assert own
    assert own != plan(llama_folder, isolated=True, dtype="fp16").host


def test_an_engine_that_does_not_quantise_is_not_asked_to(llama_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert plan(llama_folder, quantization="int8").engine == "torch"
    other = EngineSpec("other", ("text",), SAFETENSORS, lambda _: Fit("text", 1), no_load)
    monkeypatch.setattr(catalogue, "installed", lambda: (other,))
    assert plan(llama_folder).engine == "other"
    with pytest.raises(RequestFailed, match="No engine here quantises") as caught:
        plan(llama_folder, quantization="int8")
    assert caught.value.param == "quantization"


def drafted(folder: Path, draft: Path, **settings: Any) -> Any:
    ref = ModelRef(str(folder), LoadSettings(draft_model=str(draft), **settings))
    return make_plan(ref, folder, Machine(), Limits(), draft=draft)


def test_a_draft_model_counts_with_the_model_that_it_drafts_for(llama_folder: Path) -> None:
    alone, together = plan(llama_folder, dtype="bf16"), drafted(llama_folder, llama_folder, dtype="bf16")
    assert together.memory_bytes == 2 * alone.memory_bytes
    assert together.wished_bytes == 2 * alone.wished_bytes
    assert together.draft.dtype == "bf16"
    assert together.named == f"`{llama_folder}` with its draft model `{llama_folder}`"


@pytest.mark.parametrize(("architecture", "kind", "why"), [
    ("BertModel", "bert", "it is a model for the task `embedding`, not `text`"),
    ("T5ForConditionalGeneration", "t5", "it is an encoder-decoder"),
])  # fmt: skip
def test_what_does_not_go_on_with_a_text_cannot_draft(
    llama_folder: Path, copy_of: Callable[..., Path], architecture: str, kind: str, why: str
) -> None:
    folder = copy_of()
    change_config(folder, architectures=[architecture], model_type=kind)
    with pytest.raises(RequestFailed, match=why) as caught:
        drafted(llama_folder, folder)
    assert (caught.value.kind, caught.value.param) == ("not_supported", "draft_model")


def test_a_draft_model_of_code_of_its_own_is_refused_though_the_model_is_trusted(
    llama_folder: Path, copy_of: Callable[..., Path]
) -> None:
    folder = copy_of()
    change_config(folder, auto_map={"AutoModelForCausalLM": "modeling_mine.Mine"})
    with pytest.raises(RequestFailed, match="code") as caught:
        drafted(llama_folder, folder, trust_remote_code=True)
    assert caught.value.param == "draft_model"


def test_an_adapter_cannot_draft(llama_folder: Path, tmp_path: Path) -> None:
    (tmp_path / "adapter_config.json").write_text("{}")
    with pytest.raises(RequestFailed, match="cannot draft: it is an adapter") as caught:
        drafted(llama_folder, tmp_path)
    assert caught.value.param == "draft_model"


def test_an_engine_that_guesses_nothing_ahead_is_not_asked_to(
    llama_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = EngineSpec("other", ("text",), SAFETENSORS, lambda _: Fit("text", 1), no_load)
    monkeypatch.setattr(catalogue, "installed", lambda: (other,))
    with pytest.raises(RequestFailed, match="No engine here guesses ahead") as caught:
        plan(llama_folder, draft_model="org/small")
    assert caught.value.param == "draft_model"


def test_a_head_that_is_tied_to_the_embedding_is_weighed_once_more_on_a_cpu(copy_of: Callable[..., Path]) -> None:
    folder = copy_of()
    before = plan(folder, device="cpu").weight_bytes
    change_config(folder, tie_word_embeddings=True)
    config = json.loads((folder / "config.json").read_text())
    assert plan(folder, device="cpu").weight_bytes == before + 4 * config["vocab_size"] * config["hidden_size"]


def failing(error: BaseException) -> EngineSpec:
    """An engine that fails over every model."""

    def fit(candidate: Any) -> Any:
        raise error

    return EngineSpec("odd", ("text",), SAFETENSORS, fit, no_load, adapters=True)


@pytest.fixture
def with_odd(monkeypatch: pytest.MonkeyPatch) -> Callable[[EngineSpec], None]:
    """Have an engine of the distribution `acme-odd` asked before the others."""
    known = catalogue.discovered()

    def install(spec: EngineSpec) -> None:
        odd = catalogue.Discovered((spec, *known.specs), ("acme-odd", *known.owners), ())
        monkeypatch.setattr(catalogue, "discovered", lambda: odd)

    return install


@pytest.mark.parametrize("error", [RuntimeError("no way"), TypeError("no way"), SystemExit("no way")])
def test_an_engine_that_fails_over_a_model_keeps_no_other_from_taking_it(
    llama_folder: Path, with_odd: Callable[[EngineSpec], None], error: BaseException, caplog: pytest.LogCaptureFixture
) -> None:
    with_odd(failing(error))
    assert plan(llama_folder).engine == "torch"
    assert "The engine `odd` of acme-odd fails over" in caplog.text


def test_where_no_other_takes_the_model_the_distribution_that_fails_is_named(
    llama_folder: Path, with_odd: Callable[[EngineSpec], None]
) -> None:
    with_odd(failing(RuntimeError(f"no way in {llama_folder}/config.json")))
    failure = refusal(llama_folder, engine="odd")
    assert failure.kind == "load_failed"
    assert failure.message == (
        f"The engine `odd` of acme-odd fails over `{llama_folder}`: RuntimeError: no way in config.json"
    )


def test_an_answer_that_is_no_fit_is_a_failure_of_its_engine(
    llama_folder: Path, with_odd: Callable[[EngineSpec], None]
) -> None:
    odd: Any = lambda _: True  # noqa: E731
    with_odd(EngineSpec("odd", ("text",), SAFETENSORS, odd, no_load))
    assert "`fit` returned a bool" in refusal(llama_folder, engine="odd").message


def no_load(plan: Any, grant: int) -> Any:
    raise AssertionError
