"""Which device and which number format a model gets, and how much memory there is. torch is imported when asked."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from llamafarm_universal.failure import refused
from llamafarm_universal.messages import Device, DeviceName, Dtype, DtypeName

if TYPE_CHECKING:
    import torch

BYTES: Mapping[DtypeName, int] = {"fp16": 2, "bf16": 2, "fp32": 4}
_TRUE = {"1", "true", "yes", "on"}
_CGROUP_LIMITS = (Path("/sys/fs/cgroup/memory.max"), Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"))

LARGE_ON_CPU = 1_000_000_000
"""Parameters from which `auto` prefers bf16 on a processor with instructions for it: fp32 would take 4 GB and more."""


def choose_device(requested: Device, environ: Mapping[str, str] = os.environ) -> DeviceName:
    """The device for a request's setting.

    `auto` is CUDA, else Metal, else the processor. TRANSFORMERS_FORCE_CPU=1 puts everything on the processor, whatever
    is asked; TRANSFORMERS_SKIP_MPS=1 puts there what would go to Metal.
    Raises RequestFailed where `cuda` or `mps` is asked for and is not there.
    """
    import torch

    if requested == "cpu" or _is_set(environ, "TRANSFORMERS_FORCE_CPU"):
        return "cpu"
    has_cuda = torch.cuda.is_available()
    has_mps = torch.backends.mps.is_available()
    if requested == "cuda" and not has_cuda:
        raise _missing("cuda", "no NVIDIA GPU that this torch can use", torch.__version__)
    if requested == "mps" and not has_mps:
        raise _missing("mps", "no Apple GPU that this torch can use", torch.__version__)
    if requested != "mps" and has_cuda:
        return "cuda"
    return "mps" if has_mps and not _is_set(environ, "TRANSFORMERS_SKIP_MPS") else "cpu"


def choose_dtype(requested: Dtype, device: DeviceName, config: Mapping[str, Any], parameters: int) -> DtypeName:
    """The number format for a request's setting.

    `auto` on a GPU is fp16, or bf16 where the model's configuration says so and the GPU can. On a processor it is fp32,
    or bf16 for models of LARGE_ON_CPU parameters and more where the processor has instructions for it (AVX-512 BF16 or
    AMX). Without them torch emulates bf16, and `benchmarks/dtype.py` measured on an AVX2 processor with two cores, for
    34M and 372M parameters: prompts are read 3 to 4 times slower, single tokens come 1.1 to 1.5 times faster. That is
    a loss for every prompt that is not very short, at either size, so bf16 is left to those who ask for it.
    """
    if requested != "auto":
        return requested
    if device == "cpu":
        return "bf16" if parameters >= LARGE_ON_CPU and _cpu_computes_bf16() else "fp32"
    wants_bf16 = "bfloat16" in str(config.get("dtype") or config.get("torch_dtype"))
    return "bf16" if wants_bf16 and _gpu_computes_bf16(device) else "fp16"


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
    _trim_heap()


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


def _missing(device: str, what: str, version: str) -> Exception:
    hint = "Use `device: auto` or `device: cpu`, or install a torch build for this hardware."
    return refused(f"Device `{device}` is asked for, but there is {what} (torch {version}).", "device", hint=hint)


def _is_set(environ: Mapping[str, str], name: str) -> bool:
    return environ.get(name, "").strip().lower() in _TRUE


def _cpu_computes_bf16() -> bool:
    import torch

    able = torch.cpu.get_capabilities()
    return bool(able.get("avx512_bf16") or able.get("amx_bf16") or able.get("amx_tile") or able.get("bf16"))


def _gpu_computes_bf16(device: DeviceName) -> bool:
    import torch

    return device == "mps" or torch.cuda.is_bf16_supported(including_emulation=False)


def _cgroup_limits() -> list[int]:
    """The memory limits of the container, if this is one."""
    texts = [path.read_text().strip() for path in _CGROUP_LIMITS if path.is_file()]
    return [int(text) for text in texts if text.isdigit()]


def _trim_heap() -> None:
    """Ask the C library to return freed memory: glibc otherwise keeps it for itself."""
    import ctypes
    import sys

    if sys.platform == "linux":
        try:
            ctypes.CDLL(None).malloc_trim(0)
        except AttributeError:  # a C library without it, such as musl
            pass
