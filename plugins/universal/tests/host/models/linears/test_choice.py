"""Which form a layer gets, by how long each takes at 1, 8, 64 and 512 rows."""

from __future__ import annotations

import pytest
from llamafarm_universal.host.models.linears.choice import Choice, choose


def test_the_fastest_is_chosen() -> None:
    assert choose({"plain": [4, 4, 4, 4], "packed": [1, 1, 2, 4]}) == Choice("packed")
    assert choose({"plain": [1, 1, 2, 4], "packed": [4, 4, 4, 4]}) == Choice("plain")


def test_a_small_gain_is_not_worth_an_exchange() -> None:
    assert choose({"plain": [100, 100, 100, 100], "packed": [98, 98, 98, 98]}) == Choice("plain")


def test_one_form_that_is_good_everywhere_beats_one_that_is_best_somewhere() -> None:
    assert choose({"plain": [100, 300, 300, 300], "packed": [140, 110, 110, 110]}) == Choice("packed")


def test_two_forms_that_share_the_weight_may_differ_by_rows() -> None:
    """As on a processor without instructions for bf16: µs of a layer of 4864 x 896 there."""
    emulated = {"plain": [560, 3962, 29715, 237000], "widened": [1900, 4300, 9900, 56000]}
    assert choose(emulated) == Choice("plain", "widened", 23)


def test_a_second_copy_of_the_weight_must_be_worth_its_memory() -> None:
    assert choose({"plain": [1, 1, 1.5, 1.5], "packed": [1.5, 1.5, 1, 1]}).many is None
    assert choose({"plain": [1, 1, 9, 9], "packed": [9, 9, 1, 1]}) == Choice("plain", "packed", 23)


def test_what_works_here_is_taken_where_the_original_is_no_candidate() -> None:
    assert choose({"int8": [2, 2, 2, 2], "int8 of oneDNN": [1, 1, 3, 1]}) == Choice("int8 of oneDNN")
    with pytest.raises(LookupError):
        choose({})
