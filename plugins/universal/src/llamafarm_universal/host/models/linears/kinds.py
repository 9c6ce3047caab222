"""Which forms a linear layer may have: those that compute the same, or those of a quantization."""

from __future__ import annotations

from llamafarm_universal.host.models.linears.form import Form
from llamafarm_universal.host.models.linears.int4 import GROUP, Int4, Int4Cuda, Int4Widened
from llamafarm_universal.host.models.linears.int8 import Int8, Int8OneDnn, Int8Stored
from llamafarm_universal.host.models.linears.packed import Packed
from llamafarm_universal.host.models.linears.plain import Plain, Widened
from llamafarm_universal.host.models.linears.trial import Shape
from llamafarm_universal.messages import DeviceName, Quantization

Kinds = tuple[type[Form], ...]

EXACT: Kinds = (Plain, Packed, Widened)
"""On a CPU."""
_EXACT: dict[DeviceName, Kinds] = {"cpu": EXACT, "cuda": (Plain,), "mps": ()}
"""On a GPU, layers with one input become one layer: that is fewer kernels to launch."""
FEW_OUTPUTS = 8
"""Layers with so many times as many inputs as outputs are not quantised: they choose experts, or tell classes. They are
small, and a small difference in what they compute may decide."""
_OUTPUTS_TOGETHER = 16  # of which torch's product with numbers of four bits computes no fewer

_QUANTIZED: dict[tuple[DeviceName, Quantization], Kinds] = {
    ("cpu", "int8"): (Int8, Int8OneDnn),
    ("cpu", "int4"): (Int4, Int4Widened),
    ("cuda", "int8"): (Int8Stored,),
    ("cuda", "int4"): (Int4Cuda, Int8Stored),
    ("mps", "int8"): (Int8Stored,),
    ("mps", "int4"): (Int8Stored,),
}


def kinds_of(shape: Shape, quantization: Quantization, device: DeviceName, *, is_head: bool = False) -> Kinds:
    """The forms of which a layer gets the best.

    is_head: what it computes are the logits of tokens, which get eight bits at least.
    """
    if quantization == "none" or shape.out_features * FEW_OUTPUTS <= shape.in_features:
        return _EXACT[device]
    in_groups = not (shape.in_features % GROUP or shape.out_features % _OUTPUTS_TOGETHER)
    return _QUANTIZED[device, quantization if in_groups and not is_head else "int8"]
