"""Norms by the root mean square are told by what they compute."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from llamafarm_universal.host.models.linears.norms import faster_norm
from torch import nn
from transformers.models.gemma3.modeling_gemma3 import Gemma3RMSNorm
from transformers.models.llama.modeling_llama import LlamaRMSNorm
from transformers.models.mamba2.modeling_mamba2 import MambaRMSNormGated
from transformers.models.t5.modeling_t5 import T5LayerNorm

SIZE = 48


def shaken(module: Any, dtype: torch.dtype) -> Any:
    torch.manual_seed(0)
    module.weight.data.uniform_(0.5, 1.5)
    return module.to(dtype)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("kind", [LlamaRMSNorm, Gemma3RMSNorm, T5LayerNorm])
def test_the_norms_of_models_are_computed_faster_and_alike(kind: Any, dtype: torch.dtype) -> None:
    module = shaken(kind(SIZE, eps=1e-6), dtype)
    norm = faster_norm(module)
    assert norm is not None
    assert norm.weight is module.weight
    for scale in (0, 1e-4, 1, 1e4):
        x = (scale * torch.randn(2, 3, SIZE)).to(dtype)
        torch.testing.assert_close(norm(x), module(x), rtol=2 * torch.finfo(dtype).eps, atol=1e-6)


def test_what_is_something_else_stays() -> None:
    class Odd(LlamaRMSNorm):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return super().forward(x) + 1

    hooked = shaken(LlamaRMSNorm(SIZE), torch.float32)
    hooked.register_forward_hook(lambda *_: None)
    for module in (nn.LayerNorm(SIZE), nn.Linear(SIZE, SIZE), nn.Embedding(3, SIZE), Odd(SIZE), hooked):
        assert faster_norm(module) is None
    assert faster_norm(MambaRMSNormGated(SIZE, SIZE)) is None  # it may be given a gate, too
