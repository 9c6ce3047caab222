"""How fast each form of a linear layer is on this very processor, and whether it is right."""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import count
from typing import TYPE_CHECKING

import torch
from torch.nn.functional import linear

from llamafarm_universal.host.models.linears.form import Form

if TYPE_CHECKING:
    from torch import Tensor

log = logging.getLogger(__name__)

ROWS = (1, 8, 64, 512)
"""At how many rows forms are timed: one running answer, some, many, and a prompt."""
Times = dict[str, list[float]]
"""Microseconds of a product at each of ROWS, by the name of the form. One that does not work here is missing."""

_FEW_ROWS = 2  # of ROWS: at so few, reading the weights takes longer than computing
_MOST_FEW, _MOST_MANY = 4_000_000, 1_000_000  # numbers of a weight on trial: forms keep their order in larger ones
_BEYOND_CACHES = 64_000_000  # bytes of all copies of a weight: in a model, no layer finds its weight in a cache
_MOST_COPIES = 16
_BLOCK = 64  # outputs that some forms compute together
_SECONDS = 0.01  # for each form at each number of rows
_LEAST_ROUNDS = 4


@dataclass(frozen=True)
class Shape:
    """What forms are compared for. dtype: as torch writes it, without `torch.`."""

    out_features: int
    in_features: int
    dtype: str
    has_bias: bool

    def __str__(self) -> str:
        return f"{self.out_features}x{self.in_features} {self.dtype}{' bias' if self.has_bias else ''}"


def measure(shape: Shape, forms: Sequence[type[Form]]) -> Times:
    """Time the forms that work here and compute the same as torch's own way; takes some hundred milliseconds."""
    with torch.inference_mode():
        times: Times = {}
        for most, rows_of in ((_MOST_FEW, ROWS[:_FEW_ROWS]), (_MOST_MANY, ROWS[_FEW_ROWS:])):
            made = _made(shape, forms, most)
            for rows in rows_of:
                x = _random(rows, shape.in_features).to(getattr(torch, shape.dtype))
                for name, seconds in _race(made, x).items():
                    times.setdefault(name, []).append(round(seconds * 1e6, 1))
    times = {name: each for name, each in times.items() if len(each) == len(ROWS)}
    log.debug("Linear layers of %s take, in µs at %s rows: %s", shape, ROWS, times)
    return times


def _made(shape: Shape, forms: Sequence[type[Form]], most: int) -> dict[str, list[Form]]:
    """Layers of each form that works here, with at most so many numbers.

    Where few rows shall be timed, they are so many that the processor's caches do not hold them.
    """
    outputs = min(shape.out_features, max(1, most // shape.in_features // _BLOCK) * _BLOCK)
    dtype = getattr(torch, shape.dtype)
    weight = (_random(outputs, shape.in_features) / math.sqrt(shape.in_features)).to(dtype)
    bias = _random(1, outputs)[0].to(dtype) if shape.has_bias else None
    copies = math.ceil(_BEYOND_CACHES / (weight.numel() * dtype.itemsize)) if most == _MOST_FEW else 1
    weights = [weight, *(weight.clone() for _ in range(min(copies, _MOST_COPIES) - 1))]
    return {form.name: layers for form in forms if (layers := _layers(form, weights, bias))}


def _random(rows: int, columns: int) -> Tensor:
    """Normally distributed; the generator is its own, so that nobody's seed is spent."""
    return torch.randn(rows, columns, generator=torch.Generator().manual_seed(0))


def _layers(form: type[Form], weights: list[Tensor], bias: Tensor | None) -> list[Form]:
    """A layer for each weight; none where the form cannot be made here, or computes something else."""
    try:
        first = form.make(weights[0], bias)
        if not is_right(first, weights[0], bias):
            log.warning("The form `%s` of linear layers computes wrongly on this processor; it is not used.", form.name)
            return []
        return [first, *(form.make(weight, bias) for weight in weights[1:])]
    except Exception as error:  # noqa: BLE001 - operators say in many ways that a processor is not theirs
        log.debug("The form `%s` does not work here: %s", form.name, error)
        return []


def is_right(form: Form, weight: Tensor, bias: Tensor | None) -> bool:
    """Whether a form computes what torch's own way computes, but for what the form says that it may differ by.

    Both are compared to the product in double precision: rounding may make twice the difference that it makes there,
    and what it makes of a sum of so many float32 in whatever order.
    """
    x = _random(4, weight.shape[1]).to(weight.dtype)
    wide = linear(x.double(), weight.double(), None if bias is None else bias.double())
    error, usual = ((each(x).double() - wide).norm() for each in (form, lambda x: linear(x, weight, bias)))
    rounding = torch.finfo(weight.dtype).eps + math.sqrt(weight.shape[1]) * torch.finfo(torch.float32).eps
    return bool(error <= 2 * usual + (form.most_error + rounding) * wide.norm())


def _race(contestants: dict[str, list[Form]], x: Tensor) -> dict[str, float]:
    """The least seconds of one product of each form.

    They take turns, and every product is timed by itself: what else the machine does meets all of them, and some
    products not at all.
    """
    best = dict.fromkeys(contestants, math.inf)
    for layers in contestants.values():
        layers[0](x)
    end = time.perf_counter() + _SECONDS * len(contestants)
    for lap in count(1):
        for name, layers in contestants.items():
            for layer in layers:
                begin = time.perf_counter()
                layer(x)
                best[name] = min(best[name], time.perf_counter() - begin)
        if lap >= _LEAST_ROUNDS and time.perf_counter() > end:
            break
    return best
