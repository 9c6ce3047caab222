"""Which device and which number format a model gets."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from llamafarm_universal import device
from llamafarm_universal.device import LARGE_ON_CPU, choose_device, choose_dtype
from llamafarm_universal.failure import RequestFailed


@pytest.fixture
def hardware(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Pretend to have GPUs, or processor instructions: torch's own answers are replaced."""

    def have(*, cuda: bool = False, mps: bool = False, gpu_bf16: bool = False, cpu_bf16: bool = False) -> None:
        monkeypatch.setattr(torch.cuda, "is_available", lambda: cuda)
        monkeypatch.setattr(torch.backends.mps, "is_available", lambda: mps)
        monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation: gpu_bf16)
        monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"avx512_bf16": cpu_bf16})

    return have


def test_auto_is_cuda_then_metal_then_the_processor(hardware: Any) -> None:
    hardware(cuda=True, mps=True)
    assert choose_device("auto", {}) == "cuda"
    hardware(mps=True)
    assert choose_device("auto", {}) == "mps"
    hardware()
    assert choose_device("auto", {}) == "cpu"


def test_the_environment_forces_the_processor(hardware: Any) -> None:
    hardware(cuda=True)
    assert choose_device("auto", {"TRANSFORMERS_FORCE_CPU": "1"}) == "cpu"
    assert choose_device("cuda", {"TRANSFORMERS_FORCE_CPU": "true"}) == "cpu"
    assert choose_device("auto", {"TRANSFORMERS_FORCE_CPU": "0"}) == "cuda"
    hardware(mps=True)
    assert choose_device("auto", {"TRANSFORMERS_SKIP_MPS": "1"}) == "cpu"
    assert choose_device("mps", {"TRANSFORMERS_SKIP_MPS": "1"}) == "cpu"


@pytest.mark.parametrize("name", ["cuda", "mps"])
def test_a_device_that_is_not_there_is_an_error_with_a_way_out(hardware: Any, name: Any) -> None:
    hardware()
    with pytest.raises(RequestFailed) as caught:
        choose_device(name, {})
    assert caught.value.param == "device"
    assert name in caught.value.message
    assert "device: auto" in (caught.value.hint or "")


def test_gpus_get_fp16_or_the_models_own_bf16_where_they_can(hardware: Any) -> None:
    hardware(gpu_bf16=True)
    assert choose_dtype("auto", "cuda", {"torch_dtype": "bfloat16"}, 1) == "bf16"
    assert choose_dtype("auto", "cuda", {"dtype": "float32"}, 1) == "fp16"
    hardware(gpu_bf16=False)
    assert choose_dtype("auto", "cuda", {"dtype": "bfloat16"}, 1) == "fp16"


def test_processors_get_fp32_or_bf16_for_large_models_where_they_compute_in_it(hardware: Any) -> None:
    hardware(cpu_bf16=True)
    assert choose_dtype("auto", "cpu", {}, LARGE_ON_CPU - 1) == "fp32"
    assert choose_dtype("auto", "cpu", {}, LARGE_ON_CPU) == "bf16"
    hardware(cpu_bf16=False)
    assert choose_dtype("auto", "cpu", {}, LARGE_ON_CPU) == "fp32"


def test_what_is_asked_for_is_taken(hardware: Any) -> None:
    hardware()
    assert choose_dtype("bf16", "cpu", {}, 1) == "bf16"
    assert choose_dtype("fp32", "cuda", {"dtype": "bfloat16"}, 1) == "fp32"


def test_memory_is_what_this_machine_has() -> None:
    assert 0 < device.free_memory("cpu") <= device.total_memory("cpu") * 1.01
