from __future__ import annotations

import random

import pytest
from training import slots


def test_a_slot_is_filled_and_other_braces_stay():
    assert slots.fill('{"city": "{city}", "n": {n}}', {"city": "Rome", "n": "3"}) == '{"city": "Rome", "n": 3}'


def test_a_whole_number_slot_becomes_a_number():
    assert slots.fill({"arguments": {"a": "{a:int}", "b": "{a}"}}, {"a": "7"}) == {"arguments": {"a": 7, "b": "7"}}


def test_one_list_never_gives_the_same_value_twice(monkeypatch):
    monkeypatch.setattr(slots, "INVENTED_SHARE", 0.0)
    names = {"a": ["x", "y"], "b": ["x", "y"]}
    for seed in range(20):
        assert sorted(slots.draw(names, {"a", "b"}, random.Random(seed)).values()) == ["x", "y"]


def test_sums_and_products_follow_from_the_other_slots():
    definitions = {
        "a": {"range": [2, 9]},
        "b": {"range": [2, 9]},
        "s": {"sum_of": ["a", "b"]},
        "p": {"product_of": ["a", "b"]},
    }
    chosen = slots.draw(definitions, {"s", "p"}, random.Random(1))
    a, b = int(chosen["a"]), int(chosen["b"])
    assert (int(chosen["s"]), int(chosen["p"])) == (a + b, a * b)


@pytest.mark.parametrize("like", ["Cape Town", "sick leave", "AAPL", "notes.md"])
def test_an_invented_value_keeps_the_shape(like):
    invented = slots.invent(like, random.Random(3))
    assert [word[0].isupper() for word in invented.split()] == [word[0].isupper() for word in like.split()]
    assert invented.isupper() == like.isupper()
    assert invented != like


def test_an_undefined_slot_is_an_error():
    with pytest.raises(KeyError, match="city"):
        slots.draw({}, {"city"}, random.Random(0))
