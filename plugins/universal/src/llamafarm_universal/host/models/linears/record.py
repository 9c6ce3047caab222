"""What trials have measured, kept for this process, and in a file for those to come."""

from __future__ import annotations

import hashlib
import json
import logging
import os
import threading
from collections.abc import Sequence
from pathlib import Path

import torch
from llamafarm import data_dir

from llamafarm_universal.host.models.linears.contention import watched
from llamafarm_universal.host.models.linears.form import Form
from llamafarm_universal.host.models.linears.trial import ROWS, Shape, Times, measure

log = logging.getLogger(__name__)
_CALM = 0.25
"""The most that others may have had of the time of a race that counts for good. Threads that sleep between any two
products, as with OMP_WAIT_POLICY=PASSIVE, lose a fifth by themselves."""
_RACES = 2
_METHOD = "second method"  # of measuring: what another one has found out is not looked at


class Record:
    """Times of forms by shape, of one processor with one number of threads and one version of torch.

    path: the file, None for none. What cannot be read or written there is measured again the next time.
    """

    def __init__(self, path: Path | None, machine: str) -> None:
        self._path = path
        self._machine = machine
        self._times: dict[str, Times] = _read(path).get(machine, {}) if path else {}
        self._lock = threading.Lock()

    def times(self, shape: Shape, forms: Sequence[type[Form]]) -> Times:
        """How long the forms take, measured now where that is not known yet."""
        with self._lock:
            known = self._times.get(str(shape), {})
            asked = {form.name for form in forms}
            if not asked <= known.keys():
                known = self._times[str(shape)] = self._measured(shape, forms, known)
            return {name: times for name, times in known.items() if name in asked and times}

    def _measured(self, shape: Shape, forms: Sequence[type[Form]], known: Times) -> Times:
        """All forms are timed anew, in one race; those that do not work here are kept as such: without times.

        On a machine that is busy with something else the race is run again, and the best times count; where it stays
        busy, nothing is written: a later start may find it calm.
        """
        measured: Times = {}
        for _ in range(_RACES):
            newest, waited = _timed(shape, forms)
            measured = {name: [*map(min, measured.get(name, times), times)] for name, times in newest.items()}
            if waited <= _CALM:
                break
        times = {**known, **{form.name: [] for form in forms}, **measured}
        if self._path and waited <= _CALM:
            _write(self._path, self._machine, {**self._times, str(shape): times})
        return times


def _timed(shape: Shape, forms: Sequence[type[Form]]) -> tuple[Times, float]:
    """The times of forms, and the share of that time in which threads waited for processors that others had."""
    with watched() as contention:
        times = measure(shape, forms)
    return times, contention.share


def this_record() -> Record:
    """The record of this machine, in LlamaFarm's data directory."""
    return Record(data_dir(os.environ) / "universal" / "linears.json", machine_key())


def machine_key() -> str:
    """What times depend on: processor, threads, torch, and how they are measured."""
    able = {**torch.cpu.get_capabilities()}
    digest = hashlib.sha256(json.dumps(able, sort_keys=True, default=str).encode()).hexdigest()[:12]
    rows = "-".join(map(str, ROWS))
    threads = torch.get_num_threads()
    return f"{able.get('cpu_name')} {digest}, {threads} threads, torch {torch.__version__}, rows {rows}, {_METHOD}"


def _read(path: Path) -> dict[str, dict[str, Times]]:
    try:
        kept = json.loads(path.read_text(encoding="utf-8"))
        return {machine: {shape: _checked(times) for shape, times in of.items()} for machine, of in kept.items()}
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, TypeError, AttributeError) as error:
        log.warning("%s cannot be read (%s): linear layers are timed anew.", path, error)
        return {}


def _checked(times: Times) -> Times:
    """Raises ValueError for what this module has not written."""
    if any(len(each) not in (0, len(ROWS)) or not all(number > 0 for number in each) for each in times.values()):
        raise ValueError("it holds no times")
    return times


def _write(path: Path, machine: str, times: dict[str, Times]) -> None:
    """Put this machine's times into the file, beside those of others; readers see the old file or the new one."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        own = path.with_suffix(f".{os.getpid()}")
        kept = _read(path)
        own.write_text(json.dumps({**kept, machine: {**kept.get(machine, {}), **times}}, indent=1), encoding="utf-8")
        own.replace(path)
    except OSError as error:
        log.info("The times of linear layers are not kept for the next start: %s", error)
