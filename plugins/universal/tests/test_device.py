"""What devices there are, as torch says."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from llamafarm_universal import device
from llamafarm_universal.device import this_machine
from llamafarm_universal.failure import RequestFailed
from llamafarm_universal.placement import choose_device


@pytest.fixture
def hardware(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Pretend to have GPUs: torch's own answers are replaced."""

    def have(*, cuda: bool = False, mps: bool = False, gpu_bf16: bool = False) -> None:
        monkeypatch.setattr(torch.cuda, "is_available", lambda: cuda)
        monkeypatch.setattr(torch.backends.mps, "is_available", lambda: mps)
        monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation: gpu_bf16)
        monkeypatch.setattr(torch.cuda, "mem_get_info", lambda: (20, 24))

    return have


def where(requested: Any = "auto", environ: dict[str, str] | None = None) -> str:
    return choose_device(requested, this_machine(environ=environ or {}))


def test_auto_is_cuda_then_metal_then_the_processor(hardware: Any) -> None:
    hardware(cuda=True, mps=True)
    assert where() == "cuda"
    assert where("mps") == "mps"
    assert this_machine(environ={}).memory == {"cuda": 24}
    hardware(mps=True)
    assert where() == "mps"
    hardware()
    assert where() == "cpu"


def test_auto_is_what_the_process_was_started_with(hardware: Any) -> None:
    hardware(cuda=True)
    assert this_machine("cpu", "bf16", {}).devices == {"auto": "cpu", "cpu": "cpu", "cuda": "cuda"}
    assert this_machine("cpu", "bf16", {}).dtype == "bf16"


def test_the_environment_forces_the_processor(hardware: Any) -> None:
    hardware(cuda=True)
    assert where("auto", {"TRANSFORMERS_FORCE_CPU": "1"}) == "cpu"
    assert where("cuda", {"TRANSFORMERS_FORCE_CPU": "true"}) == "cpu"
    assert where("auto", {"TRANSFORMERS_FORCE_CPU": "0"}) == "cuda"
    hardware(mps=True)
    assert where("auto", {"TRANSFORMERS_SKIP_MPS": "1"}) == "cpu"
    assert where("mps", {"TRANSFORMERS_SKIP_MPS": "1"}) == "cpu"


@pytest.mark.parametrize("name", ["cuda", "mps"])
def test_a_device_that_is_not_there_is_an_error_with_a_way_out(hardware: Any, name: Any) -> None:
    hardware()
    for ask in (lambda: where(name), lambda: this_machine(name)):
        with pytest.raises(RequestFailed) as caught:
            ask()
        assert caught.value.param == "device"
        assert f"{name}` is asked for" in caught.value.message
        assert torch.__version__ in caught.value.message
        assert "device: auto" in (caught.value.hint or "")


def test_which_gpus_compute_in_bf16_is_known(hardware: Any) -> None:
    hardware(cuda=True, gpu_bf16=True)
    assert this_machine(environ={}).bf16 == {"cuda"}
    hardware(cuda=True)
    assert this_machine(environ={}).bf16 == set()
    hardware(mps=True)
    assert this_machine(environ={}).bf16 == {"mps"}


def test_memory_is_what_this_machine_has() -> None:
    assert 0 < device.free_memory("cpu") <= device.total_memory("cpu") * 1.01
