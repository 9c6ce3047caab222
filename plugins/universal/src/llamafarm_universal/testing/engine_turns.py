"""Contract tests of engines: several works at once, and those that nobody waits for any more."""

from __future__ import annotations

from llamafarm_universal.testing.bench import Bench
from llamafarm_universal.testing.engine_case import EngineCase


class EngineTurns(EngineCase):
    """Works beside each other. The short one is the first of `works`."""

    def test_works_at_once_are_answered_as_alone(self, bench: Bench) -> None:
        alone = [bench.answer(work) for work in self.all_works()]
        together = [bench.start(work) for work in self.all_works()]
        bench.run(*together)
        for one, beside in zip(alone, together, strict=True):
            assert self.alike(one, beside), f"`{one.work.operation}` is answered otherwise beside others"

    def test_a_long_work_does_not_hold_up_a_short_one(self, bench: Bench) -> None:
        """All requests advance in turn: one that came later, and has little to do, ends before it."""
        long, short = bench.start(self.long), bench.start(self.works[0])
        bench.run(short)
        assert not long.ended, f"`{short.work.operation}`, which is short, had to wait until the long work ended"
        bench.run(long)
        assert long.finished

    def test_a_step_is_a_bounded_piece_of_work(self, bench: Bench) -> None:
        """Between two steps others have their turn, and requests are cancelled: the long work takes more than two."""
        long = bench.start(self.long)
        for step in (1, 2):
            bench.engine.step()
            assert not long.ended, f"step {step} brought the long work to its end"

    def test_a_cancelled_work_is_told_no_more_while_others_go_on(self, bench: Bench) -> None:
        long, other = bench.start(self.long), bench.start(self.works[0])
        never_begun = bench.start(self.long)
        told = [len(never_begun.events)]
        bench.engine.cancel(never_begun.request_id)
        bench.engine.step()
        told.append(len(long.events))
        bench.engine.cancel(long.request_id)
        bench.run(other)
        bench.rest()
        assert [end.index for end in other.finished] == [*range(other.work.answers)], "the other has not ended"
        assert [len(never_begun.events), len(long.events)] == told, "it told more of what was cancelled"

    def test_a_cancelled_work_takes_no_more_steps(self, bench: Bench) -> None:
        """Whoever goes away gives back the time that the work would have taken."""
        long = bench.start(self.long)
        bench.engine.step()
        bench.engine.cancel(long.request_id)
        assert bench.engine.step() is False, "it goes on with a work that was cancelled"

    def test_cancelling_what_is_unknown_changes_nothing(self, bench: Bench) -> None:
        """What was never there, what has ended, and what has been cancelled already."""
        bench.engine.cancel("nobody")
        ended = bench.answer(self.works[0])
        bench.engine.cancel(ended.request_id)
        again = bench.start(self.long)
        for _ in range(2):
            bench.engine.cancel(again.request_id)
        assert bench.answer(self.works[0]).finished
