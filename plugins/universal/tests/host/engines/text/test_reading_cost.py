"""How large the pieces of a prompt are, on machines that need a given time for them."""

from __future__ import annotations

import math
from collections.abc import Callable
from itertools import cycle
from statistics import median

import pytest
from llamafarm_universal.host.engines.text.reading_cost import Piece, ReadingCost

BUDGET = 128
Machine = Callable[[Piece], float]


def read(cost: ReadingCost, machine: Machine, length: int) -> list[float]:
    """Read a long prompt. Returns the seconds of each step."""
    taken, stored = [], 0
    while stored < length:
        piece = Piece(cost.affordable(BUDGET, stored), stored)
        taken.append(machine(piece))
        cost.observe([piece], taken[-1])
        stored += piece.count
    return taken


def machine_of(doubles_at: float, aside: float = 0.01) -> Machine:
    """aside: seconds of a step, whatever it reads."""
    return lambda piece: aside + 0.0002 * piece.count * (1 + piece.stored / doubles_at)


@pytest.mark.parametrize("doubles_at", [800, 4000, 50_000])
@pytest.mark.parametrize("guess", [1500, 8000])
def test_steps_take_as_long_however_long_a_text_becomes(doubles_at: float, guess: float) -> None:
    machine = machine_of(doubles_at)
    chunk = machine(Piece(BUDGET, 0))
    cost = ReadingCost(guess, rows=4)
    first, later = read(cost, machine, 30_000), read(cost, machine, 30_000)
    assert all(seconds < 2 * chunk for seconds in first)
    assert all(seconds < 1.5 * chunk for seconds in later)
    assert 0.75 * chunk < median(later)


def test_a_step_that_takes_long_by_chance_changes_little() -> None:
    machine = machine_of(3000)
    chunk, calm = machine(Piece(BUDGET, 0)), ReadingCost(3000)
    disturbed, often = ReadingCost(3000), cycle([1, 1, 1, 1, 1, 1, 1, 1, 1, 6])
    steps = len(read(calm, machine, 10_000))
    assert len(read(disturbed, lambda piece: machine(piece) * next(often), 10_000)) < 1.4 * steps
    assert machine(Piece(disturbed.affordable(BUDGET, 10_000), 10_000)) > 0.5 * chunk


def test_what_models_without_attention_read_costs_the_same_everywhere() -> None:
    cost = ReadingCost()
    read(cost, machine_of(math.inf), 30_000)
    assert cost.affordable(BUDGET, 30_000) == BUDGET


def test_nothing_is_learned_before_it_is_known_how_long_first_tokens_take() -> None:
    cost = ReadingCost(1000)
    cost.observe([Piece(8, 20_000)], 60.0)
    assert cost.affordable(BUDGET, 3000) == BUDGET // 4


@pytest.mark.parametrize(("queries", "keys", "least"), [(8, 8, 8), (8, 2, 2), (14, 2, 2), (8, 1, 1)])
def test_pieces_are_as_large_as_what_is_computed_at_once(queries: int, keys: int, least: int) -> None:
    """Eight rows: one for each token and each head that shares a key."""
    heads = {"num_attention_heads": queries, "num_key_value_heads": keys}
    cost = ReadingCost.estimated({"hidden_size": 512, "num_hidden_layers": 6, **heads}, 26_000_000)
    assert {cost.affordable(BUDGET, stored) % least for stored in range(0, 30_000, 100)} == {0}
    assert cost.affordable(1, 10**6) == least
