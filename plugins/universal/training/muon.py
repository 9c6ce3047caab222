"""The optimizer of the weight matrices: Muon, in fp32.

Momentum whose update is made orthogonal by Newton-Schulz iterations, so that every direction of a matrix learns alike.
torch has it too, but iterates in bfloat16, which is a hundred times slower on processors without such instructions.
Source: K. Jordan et al., "Muon: An optimizer for hidden layers in neural networks" (2024).
"""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor

COEFFICIENTS = (3.4445, -4.7750, 2.0315)
ITERATIONS = 5
MOMENTUM = 0.95


class Muon:
    """Updates matrices in place from their gradients; matrices of one shape are worked on together."""

    def __init__(self, matrices: Iterable[Tensor]) -> None:
        self.groups: dict[tuple[int, int], list[Tensor]] = {}
        for matrix in matrices:
            self.groups.setdefault(_wide_shape(matrix), []).append(matrix)
        self.momenta = {shape: torch.zeros(len(group), *shape) for shape, group in self.groups.items()}

    def step(self, rate: float) -> None:
        """One update, whose root mean square is `rate`."""
        with torch.no_grad():
            for shape, group in self.groups.items():
                gradients = torch.stack([_wide(_gradient(matrix)) for matrix in group])
                momenta = self.momenta[shape].lerp_(gradients, 1 - MOMENTUM)
                updates = orthogonal(gradients.lerp_(momenta, MOMENTUM))
                for matrix, update in zip(group, updates, strict=True):
                    _wide(matrix).add_(update, alpha=-rate * max(shape) ** 0.5)


def orthogonal(matrices: Tensor) -> Tensor:
    """Matrices (count, rows, columns) with the same singular vectors and singular values near one."""
    a, b, c = COEFFICIENTS
    x = matrices / (matrices.norm(dim=(1, 2), keepdim=True) + 1e-7)
    for _ in range(ITERATIONS):
        gram = x @ x.mT
        x = a * x + (b * gram + c * gram @ gram) @ x
    return x


def _gradient(matrix: Tensor) -> Tensor:
    assert matrix.grad is not None
    return matrix.grad


def _wide(matrix: Tensor) -> Tensor:
    return matrix.T if matrix.shape[0] > matrix.shape[1] else matrix


def _wide_shape(matrix: Tensor) -> tuple[int, int]:
    rows, columns = sorted(matrix.shape)
    return rows, columns
