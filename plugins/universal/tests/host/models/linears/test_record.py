"""What was measured is measured once on a machine."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from llamafarm_universal.host.models.linears import record as module
from llamafarm_universal.host.models.linears.form import Form
from llamafarm_universal.host.models.linears.packed import Packed
from llamafarm_universal.host.models.linears.plain import Plain, Widened
from llamafarm_universal.host.models.linears.record import Record, machine_key, this_record
from llamafarm_universal.host.models.linears.trial import Shape, Times

SHAPE = Shape(64, 32, "float32", has_bias=False)
TIMES = [1.0, 2.0, 3.0, 4.0]


@pytest.fixture
def measured(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The shapes that are measured, each in the same times; `widened` does not work here."""
    shapes: list[str] = []

    def timed(shape: Shape, forms: Sequence[type[Form]]) -> tuple[Times, float]:
        shapes.append(str(shape))
        return {form.name: TIMES for form in forms if form is not Widened}, 0.0

    monkeypatch.setattr(module, "_timed", timed)
    return shapes


@pytest.fixture
def record(tmp_path: Path) -> Callable[..., Record]:
    return lambda machine="mine": Record(tmp_path / "deep" / "linears.json", machine)


def test_a_process_measures_a_shape_once(record: Callable[..., Record], measured: list[str]) -> None:
    own = record()
    assert own.times(SHAPE, (Plain, Widened)) == own.times(SHAPE, (Plain, Widened)) == {"plain": TIMES}
    assert measured == ["64x32 float32"]


def test_so_do_those_that_come_after_it(record: Callable[..., Record], measured: list[str]) -> None:
    record().times(SHAPE, (Plain, Widened))
    assert record().times(SHAPE, (Plain, Widened)) == {"plain": TIMES}
    assert len(measured) == 1


def test_on_a_busy_machine_the_best_of_some_races_counts_and_is_not_kept(
    record: Callable[..., Record], monkeypatch: pytest.MonkeyPatch
) -> None:
    races = [([9.0, 2.0, 3.0, 9.0], 0.9), ([1.0, 9.0, 9.0, 4.0], 0.8), (TIMES, 0.1)]
    monkeypatch.setattr(module, "_timed", lambda *_: (lambda times, waited: ({"plain": times}, waited))(*races.pop(0)))
    assert record().times(SHAPE, (Plain,)) == {"plain": TIMES}
    assert len(races) == 1
    assert record().times(SHAPE, (Plain,)) == {"plain": TIMES}  # measured anew, and kept
    assert record().times(SHAPE, (Plain,)) == {"plain": TIMES}
    assert not races


def test_a_form_that_is_new_is_measured_beside_the_others(record: Callable[..., Record], measured: list[str]) -> None:
    record().times(SHAPE, (Plain,))
    assert record().times(SHAPE, (Plain, Packed)).keys() == {"plain", "packed"}
    assert record().times(SHAPE, (Packed,)).keys() == {"packed"}
    assert len(measured) == 2


def test_every_machine_has_its_own(record: Callable[..., Record], measured: list[str]) -> None:
    for machine in ("mine", "yours", "mine", "yours"):
        record(machine).times(SHAPE, (Plain,))
    assert len(measured) == 2


def test_the_machine_is_its_processor_its_threads_and_torch(monkeypatch: pytest.MonkeyPatch) -> None:
    import torch

    here = machine_key()
    assert f"torch {torch.__version__}" in here
    monkeypatch.setattr(torch, "get_num_threads", lambda: 77)
    assert "77 threads" in machine_key() != here


@pytest.mark.parametrize("text", ["", "{", "[]", '{"mine": 3}', '{"mine": {"64x32 float32": {"plain": [0, 1]}}}'])
def test_a_damaged_file_is_measured_anew(
    text: str, record: Callable[..., Record], measured: list[str], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "deep" / "linears.json"
    path.parent.mkdir()
    path.write_text(text)
    with caplog.at_level(logging.WARNING):
        assert record().times(SHAPE, (Plain,)) == {"plain": TIMES}
    assert "linear layers are timed anew" in caplog.text
    assert json.loads(path.read_text()) == {"mine": {"64x32 float32": {"plain": TIMES}}}


def test_a_place_that_cannot_be_written_costs_a_measurement_and_nothing_else(
    measured: list[str], tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("")
    assert Record(tmp_path / "file" / "linears.json", "mine").times(SHAPE, (Plain,)) == {"plain": TIMES}


def test_it_lies_in_the_data_directory(measured: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LF_DATA_DIR", str(tmp_path))
    this_record().times(SHAPE, (Plain,))
    assert machine_key() in json.loads((tmp_path / "universal" / "linears.json").read_text())
