"""bf16 is what `auto` gives on a processor that gains by it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pytest
from llamafarm_universal.host.models.linears import bf16_pays
from llamafarm_universal.host.models.linears.form import Form
from llamafarm_universal.host.models.linears.record import Record
from llamafarm_universal.host.models.linears.trial import Shape, Times

WITH_INSTRUCTIONS = {"plain": [990, 1200, 350, 2600], "packed": [430, 600, 320, 2400]}
EMULATED = {"plain": [560, 3962, 29715, 237000], "widened": [1900, 4300, 9900, 56000]}
FULL = {"plain": [1235, 2851, 6953, 50000], "packed": [1118, 1168, 1457, 27000]}


class Measured(Record):
    """Has measured float32 and bfloat16."""

    def __init__(self, full: Times, half: Times) -> None:
        super().__init__(None, "")
        self._told = {"float32": full, "bfloat16": half}

    def times(self, shape: Shape, forms: Sequence[type[Form]]) -> Times:
        return self._told[shape.dtype]


@pytest.mark.parametrize(("half", "pays"), [(WITH_INSTRUCTIONS, True), (EMULATED, False), (FULL, True), ({}, False)])
def test_it_must_be_as_fast_for_answers_and_for_prompts(half: Any, pays: bool) -> None:
    assert bf16_pays(Measured(FULL, half)) is pays


def test_every_host_tells_what_was_measured_here(start_host: Callable[..., Any]) -> None:
    with start_host() as host:
        assert ("cpu" in host.ready.machine.bf16) is bf16_pays()
