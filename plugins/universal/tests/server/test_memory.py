"""What a model may use of a device's memory."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from llamafarm_universal.failure import RequestFailed
from llamafarm_universal.messages import ModelRef
from llamafarm_universal.messages.plan import LoadPlan
from llamafarm_universal.server.memory import Budget


def plan(**sizes: Any) -> LoadPlan:
    return LoadPlan(ModelRef("org/model"), Path(), {}, "text", "cpu", "fp32", 10, **sizes)


@pytest.mark.parametrize(
    ("held", "granted"),
    [
        (0, 300),  # all that it wishes
        (700, 150),  # half of the 100 that are left beside its own 200
        (800, 100),  # what it needs
    ],
)
def test_an_engine_gets_what_it_needs_and_more_where_memory_is_free(held: int, granted: int) -> None:
    budget = Budget(1000)
    budget.reserve(ModelRef("org/other"), held)
    asking = plan(weight_bytes=100, working_bytes=100, wished_bytes=300)
    assert budget.fits(asking)
    assert budget.granted(asking).working_bytes == granted


def test_who_wishes_nothing_gets_no_more() -> None:
    assert Budget(1000).granted(plan(weight_bytes=100, working_bytes=100)).working_bytes == 100


def test_a_model_that_does_not_fit_beside_its_draft_model_names_both() -> None:
    own = plan(weight_bytes=800, working_bytes=100)
    small = replace(plan(weight_bytes=200), ref=ModelRef("org/small"))
    Budget(1000).check(own)
    with pytest.raises(RequestFailed, match="`org/model` with its draft model `org/small` needs "):
        Budget(1000).check(own.drafted_by(small))
