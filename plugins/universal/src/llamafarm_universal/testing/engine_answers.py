"""Contract tests of engines: one work after the other, from its start to its end."""

from __future__ import annotations

import dataclasses
import io
import pickle
import threading
from typing import Any

from llamafarm_universal.engine import (
    Accepted,
    Blob,
    Candidate,
    Engine,
    Failed,
    Finished,
    LoadedModel,
    LoadPlan,
    Piece,
    Preview,
    Progress,
)
from llamafarm_universal.testing.bench import Asked, Bench
from llamafarm_universal.testing.engine_case import EngineCase
from llamafarm_universal.testing.engine_files import HEAVY

MOST_BYTES = 256 * 1024
"""What an event may hold: what is larger holds up all events behind it. A result that is a Blob leaves as a file."""
THREADS = 4
_OF_AN_ANSWER = (Piece, Progress, Preview, Finished)
_RESULTS = (Accepted, Failed, *_OF_AN_ANSWER)


class EngineAnswers(EngineCase):
    """Loading a model, and what becomes of a work."""

    def test_it_tells_what_it_has_loaded(self, plan: LoadPlan, bench: Bench) -> None:
        model = bench.engine.model
        assert isinstance(model, LoadedModel), f"`model` is {model!r}"
        for name in ("ref", "task", "engine", "device", "dtype"):
            known, wanted = getattr(model, name), getattr(plan, name)
            assert known == wanted, f"`model.{name}` is {known!r}, and was to be {wanted!r}"

    def test_it_tells_the_operations_that_it_can_do(self, bench: Bench) -> None:
        """The runtime refuses all others; `works` has a sample of each."""
        can, tried = bench.engine.model.operations, {work.operation for work in self.works}
        assert can == tried, f"it can do {sorted(can)}, and `works` has {sorted(tried)}"

    def test_what_its_files_tell_before_is_what_it_does(self, candidate: Candidate, bench: Bench) -> None:
        if self.spec.abilities is None:
            return
        told, model = self.spec.abilities(candidate), bench.engine.model
        for kind, before, loaded in (
            ("operations", told.operations, model.operations),
            ("features", told.features, model.features),
        ):
            assert before <= loaded, f"of {kind}, `abilities` tells {sorted(before - loaded)}, which it cannot do"
            missing = loaded - before - told.later
            assert not missing, f"of {kind}, `abilities` does not tell {sorted(missing)}, not even in `later`"
        length = told.context_length
        assert length is None or length == model.context_length, f"`abilities` tells a context of {length} tokens"

    def test_a_work_ends_with_each_of_its_answers_once(self, bench: Bench) -> None:
        for work in self.all_works():
            asked = bench.answer(work)
            indexes = [end.index for end in asked.finished]
            assert indexes == [*range(work.answers)], f"the answers of `{work.operation}` that ended are {indexes}"

    def test_nothing_follows_an_end(self, bench: Bench) -> None:
        """Neither of an answer of which the end was told, nor of a request."""
        for work in self.all_works():
            asked = bench.answer(work)
            bench.rest()
            assert not (late := late_events(asked)), f"after the end of `{work.operation}` it told {late}"

    def test_what_it_tells_belongs_to_the_request(self, bench: Bench) -> None:
        for work in self.all_works():
            asked = bench.answer(work)
            strange = [event for event in asked.events if not isinstance(event, _RESULTS)]
            assert not strange, f"`{work.operation}` tells {strange}, which is nothing for an engine to tell"
            ids = {event.request_id for event in asked.events}
            assert ids == {asked.request_id}, f"`{work.operation}` tells of {ids}, and was asked as {asked.request_id}"
            indexes = {event.index for event in asked.events if isinstance(event, _OF_AN_ANSWER)}
            assert indexes <= {*range(work.answers)}, f"`{work.operation}` tells of the answers {sorted(indexes)}"

    def test_a_work_is_accepted_before_anything_else_is_told(self, bench: Bench) -> None:
        """In `submit`, once; only a work that has ended there needs no more than its end."""
        for work in self.all_works():
            asked = bench.start(work)
            at_once = [type(event) for event in asked.events]
            bench.run(asked)
            if at_once and all(kind is Finished for kind in at_once) and len(at_once) == len(asked.events):
                continue
            kinds = [type(event) for event in asked.events]
            assert at_once[:1] == [Accepted], f"`submit` of `{work.operation}` has told {at_once or 'nothing'}"
            assert kinds.count(Accepted) == 1, f"`{work.operation}` was accepted {kinds.count(Accepted)} times"
            assert asked.accepted[0].model == bench.engine.model, "it was accepted for another model"

    def test_step_says_whether_more_remains(self, bench: Bench) -> None:
        """The host steps no more when it says no, and never rests while it says yes."""
        for work in self.all_works():
            asked = bench.start(work)
            for _ in range(bench.most_steps):
                more = bench.engine.step()
                if asked.ended:
                    break
                assert more is True, f"`step` said {more!r} before `{work.operation}` had ended"
            assert asked.ended, f"`{work.operation}` has not ended after {bench.most_steps:,} steps"
            assert bench.engine.step() is False, f"`step` says that more remains when `{work.operation}` has ended"

    def test_what_it_tells_is_read_without_its_libraries(self, bench: Bench) -> None:
        """The server's process reads it, and has no torch: no tensors, no arrays, nothing that cannot be pickled."""
        for work in self.all_works():
            for event in bench.answer(work).events:
                needed = {module.partition(".")[0] for module in modules_of(pickle.dumps(event))}
                heavy = sorted(needed.intersection(HEAVY))
                assert not heavy, f"a {type(event).__name__} of `{work.operation}` needs {', '.join(heavy)}"

    def test_what_it_tells_is_small(self, bench: Bench) -> None:
        """Each event takes a place in a pipe that all share. A blob may have any size: the host makes it a file."""
        for work in self.all_works():
            for event in bench.answer(work).events:
                size = len(pickle.dumps(_without_blob(event)))
                assert size <= MOST_BYTES, f"a {type(event).__name__} of `{work.operation}` takes {size:,} bytes"

    def test_works_are_prepared_in_several_threads_at_once(self, bench: Bench) -> None:
        """As the host does it, while other works run."""
        prepared = prepare_at_once(bench.engine, [work for work in self.works for _ in range(THREADS)])
        alone = [bench.answer(work) for work in self.works]
        for number, result in enumerate(prepared):
            work = self.works[number // THREADS]
            assert not isinstance(result, Exception), f"`prepare` of `{work.operation}` raised {result!r}"
            asked = bench.submit(work, result)
            bench.run(asked)
            same = self.alike(alone[number // THREADS], asked)
            assert same, f"`{work.operation}` is answered otherwise when others are prepared beside it"


def late_events(asked: Asked) -> list[str]:
    """What was told of an answer behind its end, or of a request behind its last one, by its kind."""
    over: set[int] = set()
    late = []
    for event in asked.events:
        grows = isinstance(event, Piece | Progress | Preview) and event.index in over
        if len(over) >= asked.work.answers or grows:
            late.append(type(event).__name__)
        if isinstance(event, Finished):
            over.add(event.index)
    return late


def modules_of(pickled: bytes) -> set[str]:
    """The modules that are imported where it is unpickled."""
    reader = _Reader(io.BytesIO(pickled))
    reader.load()
    return reader.modules


class _Reader(pickle.Unpickler):
    def __init__(self, file: io.BytesIO) -> None:
        super().__init__(file)
        self.modules: set[str] = set()

    def find_class(self, module: str, name: str) -> Any:
        self.modules.add(module)
        return super().find_class(module, name)


def _without_blob(event: Any) -> Any:
    if isinstance(event, Finished) and isinstance(event.value, Blob):
        return dataclasses.replace(event, value=None)
    return event


def prepare_at_once(engine: Engine, works: list[Any]) -> list[Any]:
    """What `prepare` returns for each work, or the error that it raised, when all are prepared at the same moment."""
    start = threading.Barrier(len(works))
    results: list[Any] = [None] * len(works)

    def prepare(number: int) -> None:
        start.wait()
        try:
            results[number] = engine.prepare(works[number])
        except Exception as error:  # noqa: BLE001 - it is what the test looks at
            results[number] = error

    threads = [threading.Thread(target=prepare, args=(number,)) for number in range(len(works))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return results
