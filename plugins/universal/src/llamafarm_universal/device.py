"""What devices this machine has, and how much memory, as torch says: it is imported when asked."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from llamafarm_universal.heap import trim_heap
from llamafarm_universal.messages import Device, DeviceName, Dtype, DtypeName, Machine
from llamafarm_universal.placement import choose_device

if TYPE_CHECKING:
    import torch

_TRUE = {"1", "true", "yes", "on"}
_CGROUP_LIMITS = (Path("/sys/fs/cgroup/memory.max"), Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"))


def this_machine(device: Device = "auto", dtype: Dtype = "auto", environ: Mapping[str, str] = os.environ) -> Machine:
    """What is here. device, dtype: what a model gets that asks for nothing else.

    `auto` is CUDA, else Metal, else the processor. TRANSFORMERS_FORCE_CPU=1 puts everything on the processor, whatever
    is asked; TRANSFORMERS_SKIP_MPS=1 puts there what would go to Metal.
    Raises RequestFailed where the device is not there.
    """
    import torch

    devices = _devices(environ)
    there = set(devices.values())
    machine = Machine(devices, _computing_bf16(there), dtype, str(torch.__version__), _own_memory(there))
    return replace(machine, devices={**devices, "auto": choose_device(device, machine)})


def _own_memory(devices: set[DeviceName]) -> dict[DeviceName, int]:
    return {"cuda": total_memory("cuda")} if "cuda" in devices else {}


def _devices(environ: Mapping[str, str]) -> dict[Device, DeviceName]:
    import torch

    if _is_set(environ, "TRANSFORMERS_FORCE_CPU"):
        return {"auto": "cpu", "cpu": "cpu", "cuda": "cpu", "mps": "cpu"}
    devices: dict[Device, DeviceName] = {"auto": "cpu", "cpu": "cpu"}
    if torch.backends.mps.is_available():
        devices["mps"] = devices["auto"] = "cpu" if _is_set(environ, "TRANSFORMERS_SKIP_MPS") else "mps"
    if torch.cuda.is_available():
        devices["cuda"] = devices["auto"] = "cuda"
    return devices


def torch_dtype(name: DtypeName) -> torch.dtype:
    import torch

    return {"fp16": torch.float16, "bf16": torch.bfloat16, "fp32": torch.float32}[name]


def total_memory(device: DeviceName) -> int:
    """Bytes that the device has; for the processor, that this process may use."""
    import psutil
    import torch

    if device == "cuda":
        return int(torch.cuda.mem_get_info()[1])
    return min([int(psutil.virtual_memory().total), *_cgroup_limits()])


def free_memory(device: DeviceName) -> int:
    """Bytes that are free on the device now."""
    import psutil
    import torch

    if device == "cuda":
        # What torch holds in reserve without using it is free to us.
        reserve = torch.cuda.memory_reserved() - torch.cuda.memory_allocated()
        return int(torch.cuda.mem_get_info()[0]) + int(reserve)
    return int(psutil.virtual_memory().available)


def release_memory(device: DeviceName) -> None:
    """Give memory of dropped models back to the system."""
    import gc

    import torch

    gc.collect()
    if device == "cuda":
        torch.cuda.empty_cache()
    elif device == "mps":
        torch.mps.empty_cache()
    trim_heap()


def use_threads() -> int:
    """Let torch use the processors that this process may run on, unless OMP_NUM_THREADS says how many. Returns it."""
    import torch

    if "OMP_NUM_THREADS" not in os.environ:
        affinity = getattr(os, "sched_getaffinity", None)
        allowed = len(affinity(0)) if affinity else os.cpu_count() or 1
        torch.set_num_threads(min(allowed, torch.get_num_threads()))
    return int(torch.get_num_threads())


def details(device: DeviceName) -> dict[str, Any]:
    """What a user wants to know of the device: name, memory in bytes, threads, library versions."""
    import platform
    from importlib.metadata import version

    import torch

    name = torch.cuda.get_device_name() if device == "cuda" else platform.processor() or platform.machine()
    return {
        "name": name,
        "memory_bytes": total_memory(device),
        "free_bytes": free_memory(device),
        "threads": torch.get_num_threads(),
        "platform": platform.platform(),
        "torch": str(torch.__version__),  # its own type would have the server import torch to read it
        "transformers": version("transformers"),
    }


def _is_set(environ: Mapping[str, str], name: str) -> bool:
    return environ.get(name, "").strip().lower() in _TRUE


def _computing_bf16(devices: set[DeviceName]) -> frozenset[DeviceName]:
    """GPUs that do. Whether a processor gains by it is measured, by those who compute."""
    import torch

    has = {
        "cpu": False,
        "cuda": "cuda" in devices and torch.cuda.is_bf16_supported(including_emulation=False),
        "mps": True,
    }
    return frozenset(device for device in devices if has[device])


def _cgroup_limits() -> list[int]:
    """The memory limits of the container, if this is one."""
    texts = [path.read_text().strip() for path in _CGROUP_LIMITS if path.is_file()]
    return [int(text) for text in texts if text.isdigit()]
