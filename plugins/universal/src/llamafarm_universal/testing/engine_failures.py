"""Contract tests of engines: works that are wrong, works that fail, and the end of the engine."""

from __future__ import annotations

import gc
import weakref
from typing import Any

import pytest

from llamafarm_universal.engine import Failed, LoadPlan, RequestFailed, Work
from llamafarm_universal.testing.bench import Asked, Bench
from llamafarm_universal.testing.engine_case import EngineCase


class EngineFailures(EngineCase):
    """What goes wrong, whose fault it is, and what stays behind."""

    def test_a_wrong_work_is_refused(self, bench: Bench) -> None:
        """By `prepare` or `submit`, with words for whoever has asked."""
        assert self.wrong, "`wrong` has no work"
        for work in self.wrong:
            with pytest.raises(RequestFailed) as raised:
                bench.start(work)
            assert raised.value.message.strip(), f"it does not say what is wrong with {work}"

    def test_a_refused_work_leaves_no_trace(self, bench: Bench) -> None:
        """Nothing is told of it, nothing is done for it, and its id is free."""
        for work in self.wrong:
            asked = Asked("the-same-id", work)
            if not _is_refused(bench, asked):
                bench.engine.cancel(asked.request_id)
                continue
            assert bench.engine.step() is False, "it has something to do for a work that it refused"
            bench.rest()
            assert not asked.events, f"it told {asked.events} of a work that it refused"
            right = Asked("the-same-id", self.works[0])
            bench.engine.submit(right.request_id, right.work, bench.engine.prepare(right.work), right.events.append)
            bench.run(right)
            assert right.finished

    def test_what_fails_in_a_step_ends_its_own_request_alone(
        self, bench: Bench, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """With one Failed; `step` raises nothing, and what comes after it is answered."""
        failing, other = bench.start(self.long), bench.start(self.works[0])
        with monkeypatch.context() as patch:
            self.fail(bench.engine, failing.request_id, patch)
            bench.run(failing, other)
            bench.rest()
        assert other.finished
        ends = failing.ends
        assert len(ends) == 1 and isinstance(ends[0], Failed), f"what failed ended with {ends}"
        assert failing.events[-1] is ends[0], "it told more of what had failed"
        assert bench.engine.step() is False, "it goes on with what has failed"
        assert bench.answer(self.works[0]).finished

    def test_close_lets_go_of_the_weights(self, plan: LoadPlan) -> None:
        """What is unloaded makes room for another model."""
        bench = Bench(self.spec.load(plan, plan.working_bytes), self.most_steps)
        bench.answer(self.works[0])
        held = [weakref.ref(part) for part in self.weights(bench.engine)]
        assert held, "`weights` names nothing"
        bench.engine.close()
        gc.collect()
        kept = [type(part()).__name__ for part in held if part() is not None]
        assert not kept, f"after `close` it still holds {', '.join(kept)}"

    def test_closing_it_ends_what_is_under_way(self, plan: LoadPlan) -> None:
        """Without another word: the host tells those who wait."""
        bench = Bench(self.spec.load(plan, plan.working_bytes), self.most_steps)
        long = bench.start(self.long)
        bench.engine.step()
        told = len(long.events)
        bench.engine.close()
        bench.engine.cancel(long.request_id)
        assert len(long.events) == told, f"it told {long.events[told:]} when it was closed"


def _is_refused(bench: Bench, asked: Asked) -> bool:
    work: Work = asked.work
    try:
        prepared: Any = bench.engine.prepare(work)
        bench.engine.submit(asked.request_id, work, prepared, asked.events.append)
    except RequestFailed:
        return True
    return False
