"""Every form computes what torch's own linear layer computes."""

from __future__ import annotations

import pytest
import torch
from llamafarm_universal.host.models.linears.by_rows import ByRows
from llamafarm_universal.host.models.linears.form import Form
from llamafarm_universal.host.models.linears.packed import Packed
from llamafarm_universal.host.models.linears.plain import Plain, Widened
from llamafarm_universal.host.models.linears.trial import is_right
from torch.nn.functional import linear

SHAPES = [(70,), (3, 70), (2, 5, 70), (0, 70), (2, 0, 70)]
PAIRS = [
    (Plain, torch.float32),
    (Plain, torch.bfloat16),
    (Packed, torch.float32),
    (Packed, torch.bfloat16),
    (Widened, torch.bfloat16),
    (Widened, torch.float16),
]


@pytest.fixture(params=PAIRS, ids=lambda pair: f"{pair[0].name}-{pair[1]}")
def made(request: pytest.FixtureRequest) -> tuple[Form, torch.Tensor, torch.Tensor]:
    """A form, with the weight and the bias of its layer."""
    kind, dtype = request.param
    torch.manual_seed(0)
    weight, bias = torch.randn(130, 70).to(dtype), torch.randn(130).to(dtype)
    try:
        return kind.make(weight, bias), weight, bias
    except RuntimeError as error:  # a processor without instructions for it
        pytest.skip(str(error))


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_inputs_may_have_any_shape(made: tuple[Form, torch.Tensor, torch.Tensor], shape: tuple[int, ...]) -> None:
    form, weight, bias = made
    x = torch.randn(shape).to(weight.dtype)
    product = form(x)
    assert (product.shape, product.dtype) == ((*shape[:-1], 130), weight.dtype)
    torch.testing.assert_close(product, linear(x, weight, bias), rtol=0.05, atol=16 * torch.finfo(weight.dtype).eps)


def test_inputs_may_lie_in_memory_as_they_like(made: tuple[Form, torch.Tensor, torch.Tensor]) -> None:
    form, weight, bias = made
    for x in (torch.randn(2, 5, 140)[..., :70], torch.randn(5, 2, 70).transpose(0, 1), torch.randn(2, 70, 5).mT):
        given = x.to(weight.dtype)
        expected = linear(given, weight, bias)
        torch.testing.assert_close(form(given), expected, rtol=0.05, atol=64 * torch.finfo(weight.dtype).eps)


def test_they_are_right_with_and_without_a_bias(made: tuple[Form, torch.Tensor, torch.Tensor]) -> None:
    form, weight, bias = made
    assert is_right(form, weight, bias)
    assert is_right(type(form).make(weight, None), weight, None)
    assert not is_right(form, weight + 1, bias)


def test_the_weight_can_be_looked_at_as_it_was(made: tuple[Form, torch.Tensor, torch.Tensor]) -> None:
    form, weight, bias = made
    assert torch.equal(form.weight, weight)
    assert torch.equal(form.bias, bias)


def test_they_tell_the_memory_that_they_hold(made: tuple[Form, torch.Tensor, torch.Tensor]) -> None:
    form, weight, bias = made
    assert form.memory_bytes == weight.nbytes + bias.nbytes


def test_the_rows_decide_which_of_two_forms_computes() -> None:
    torch.manual_seed(0)
    weight, wrong = torch.randn(9, 7), torch.zeros(9, 7)
    form = ByRows(Plain(weight, None), Packed(wrong, None), 4)
    assert form(torch.ones(2, 2, 7)).any()
    assert not form(torch.ones(1, 5, 7)).any()
    assert form.memory_bytes == 2 * weight.nbytes


def test_two_forms_that_leave_the_weight_as_it_is_hold_it_once() -> None:
    weight = torch.randn(9, 7).bfloat16()
    assert ByRows(Plain(weight, None), Widened(weight, None), 4).memory_bytes == weight.nbytes + 0


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=str)
@pytest.mark.parametrize(("size_out", "size_in"), [(96, 64), (128, 2048), (48, 4864)])
def test_what_a_row_gives_does_not_depend_on_the_others(size_out: int, size_in: int, dtype: torch.dtype) -> None:
    """Not to the last bit: a token drawn close to a border would become another one."""
    chance = torch.Generator().manual_seed(0)
    weight = torch.randn(size_out, size_in, generator=chance).to(dtype)
    rows = torch.randn(40, size_in, generator=chance).to(dtype)
    form = Packed.make(weight, None)
    together = form(rows)
    for count in (1, 2, 3, 8, 17):
        for begin in range(0, 40 - count, count):
            assert torch.equal(form(rows[begin : begin + count]), together[begin : begin + count])
    assert torch.equal(form(rows[None, :1]), together[None, :1])
