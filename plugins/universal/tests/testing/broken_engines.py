"""Engines that each break one promise and keep all others; broken_engine_contracts.py holds them to the contract."""

from __future__ import annotations

import array
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, ClassVar

from llamafarm_universal.engine import (
    Abilities,
    Accepted,
    Candidate,
    EngineSpec,
    Failed,
    FilePatterns,
    Finished,
    Fit,
    LoadedModel,
    Piece,
    explained,
    refused,
)

WEIGHT_BYTES = 1000


@dataclass(frozen=True)
class Say:
    """So many words. n: how many answers."""

    operation: ClassVar[str] = "say"

    words: int
    n: int = 1

    @property
    def answers(self) -> int:
        return self.n


@dataclass
class SayLoosely:
    """The same, and not frozen."""

    operation: ClassVar[str] = "say"
    answers: ClassVar[int] = 1

    words: int


@dataclass(frozen=True)
class Sing(Say):
    operation: ClassVar[str] = "sing"


@dataclass(eq=False)
class Job:
    request_id: str
    work: Any
    prepared: Any
    emit: Callable[[Any], None]
    said: int = 0


class Counter:
    """Says a word of each request in turn, one in each step, and ends with all the numbers."""

    brings_its_operation = True

    def __init__(self, plan):
        self.memory = array.array("B", bytes(plan.weight_bytes))
        self.jobs = []
        self.closed = False
        operations = frozenset({"say"})
        self.model = LoadedModel(
            plan.ref, plan.task, plan.engine, plan.device, plan.dtype, 0, len(self.memory), operations
        )

    def prepare(self, work):
        if work.words < 1:
            raise refused("There is nothing to say.", "words")
        return range(work.words)

    def submit(self, request_id, work, prepared, emit):
        self.jobs.append(Job(request_id, work, prepared, emit))
        emit(Accepted(request_id, work.words, self.model))

    def cancel(self, request_id):
        self.jobs = [job for job in self.jobs if job.request_id != request_id]

    def step(self):
        if not self.jobs:
            return False
        job = self.next()
        try:
            self.advance(job)
        except Exception as error:  # noqa: BLE001 - as engines do
            self.fail(job, error)
        return bool(self.jobs)

    def close(self):
        self.jobs = []
        self.memory = None
        self.closed = True

    def next(self):
        job = self.jobs.pop(0)
        self.jobs.append(job)
        return job

    def advance(self, job):
        job.said += 1
        job.emit(Piece(job.request_id, 0, self.word(job)))
        if job.said >= len(job.prepared):
            self.end(job)

    def word(self, job):
        return f" {job.said}"

    def end(self, job):
        self.jobs.remove(job)
        for index in range(job.work.answers):
            job.emit(Finished(job.request_id, index, value=self.value(job)))

    def value(self, job):
        return tuple(job.prepared)

    def fail(self, job, error):
        self.jobs.remove(job)
        job.emit(explained(error, "counting").event(job.request_id))


def fits(candidate: Candidate) -> Fit | None:
    return Fit("counting", WEIGHT_BYTES) if candidate.config.get("model_type") == "counting" else None


def reads(fields) -> Say:
    """The work of a request."""
    if unknown := sorted(fields.keys() - {"words"}):
        raise refused(f"There is no field `{unknown[0]}`.", f"input.{unknown[0]}")
    words = fields.get("words")
    if type(words) is not int or not 1 <= words <= 100:
        raise refused("`words` must be a number from 1 to 100.", "input.words")
    return Say(words)


def declared(engine: type[Counter]) -> EngineSpec:
    """The record of an engine of which what is done without a model may be broken, too."""
    fit, read = getattr(engine, "fits", fits), getattr(engine, "reads", reads)
    works = {"say": read} if engine.brings_its_operation else {}
    wants = FilePatterns(("*.json",))
    load, told = (lambda plan, _grant: engine(plan)), Abilities(getattr(engine, "told", frozenset({"say"})))
    return EngineSpec("broken", ("counting",), wants, fit, load, works=works, abilities=lambda _: told)


Sound = declared(Counter)


@declared
class EndsInSubmit(Counter):
    """Sound: what needs no step may have ended in `submit`."""

    def submit(self, request_id, work, prepared, emit):
        if work.words > 1:
            super().submit(request_id, work, prepared, emit)
        else:
            emit(Finished(request_id, value=tuple(prepared)))


@declared
class ImportsWhenItFits(Counter):
    @staticmethod
    def fits(candidate):
        import numpy  # noqa: F401

        return fits(candidate)


@declared
class PromisesMoreThanItDoes(Counter):
    told = frozenset({"say", "sing"})


@declared
class FitsAnotherTask(Counter):
    @staticmethod
    def fits(candidate):
        fit = fits(candidate)
        return fit and replace(fit, task="singing")


@declared
class WritesWhenItFits(Counter):
    @staticmethod
    def fits(candidate):
        (candidate.folder / "fitted.txt").write_text("yes")
        return fits(candidate)


@declared
class ChangesTheConfiguration(Counter):
    @staticmethod
    def fits(candidate):
        fit = fits(candidate)
        candidate.config["fitted"] = True
        return fit


@declared
class FitsEverything(Counter):
    @staticmethod
    def fits(candidate):
        return Fit("counting", WEIGHT_BYTES)


@declared
class FailsOnWhatItDoesNotKnow(Counter):
    @staticmethod
    def fits(candidate):
        assert candidate.config["model_type"] == "counting"
        return fits(candidate)


@declared
class WeighsTooLittle(Counter):
    def __init__(self, plan):
        super().__init__(plan)
        self.model = replace(self.model, memory_bytes=10_000_000)


@declared
class ReadsAnotherOperation(Counter):
    @staticmethod
    def reads(fields):
        return Sing(reads(fields).words)


@declared
class TakesFieldsOut(Counter):
    @staticmethod
    def reads(fields):
        return reads({"words": fields.pop("words", None), **fields})


@declared
class TakesAnyField(Counter):
    @staticmethod
    def reads(fields):
        return reads({"words": fields.get("words")})


@declared
class TrustsRequests(Counter):
    @staticmethod
    def reads(fields):
        return reads({**fields, "words": int(fields["words"])})


@declared
class AnswersWithASecret(Counter):
    def value(self, job):
        return Ellipsis


@declared
class TellsAnotherFormat(Counter):
    def __init__(self, plan):
        super().__init__(plan)
        self.model = replace(self.model, dtype="bf16")


@declared
class TellsMoreOperations(Counter):
    told = frozenset({"say", "sing"})

    def __init__(self, plan):
        super().__init__(plan)
        self.model = replace(self.model, operations=frozenset({"say", "sing"}))


@declared
class EndsAnAnswerTwice(Counter):
    def end(self, job):
        self.jobs.remove(job)
        for _ in range(job.work.answers):
            job.emit(Finished(job.request_id, 0, value=self.value(job)))


@declared
class SaysMoreAfterTheEnd(Counter):
    def end(self, job):
        super().end(job)
        job.emit(Piece(job.request_id, 0, ""))


@declared
class TellsOfAnAnswerThatNobodyAsked(Counter):
    def advance(self, job):
        job.emit(Piece(job.request_id, 7, "and"))
        super().advance(job)


@declared
class TellsOfSomebodyElse(Counter):
    def advance(self, job):
        job.emit(Piece("somebody", 0, ""))
        super().advance(job)


@declared
class AcceptsLate(Counter):
    def submit(self, request_id, work, prepared, emit):
        self.jobs.append(Job(request_id, work, prepared, emit))

    def advance(self, job):
        if not job.said:
            job.emit(Accepted(job.request_id, job.work.words, self.model))
        super().advance(job)


@declared
class AcceptsForAnotherModel(Counter):
    def submit(self, request_id, work, prepared, emit):
        self.jobs.append(Job(request_id, work, prepared, emit))
        emit(Accepted(request_id, work.words, replace(self.model, operations=frozenset())))


@declared
class SaysThatNothingRemains(Counter):
    def step(self):
        super().step()
        return False


@declared
class AnswersWithNumbersOfALibrary(Counter):
    brings_its_operation = False  # else its number would be no JSON, too

    def value(self, job):
        import numpy

        return numpy.float32(job.said)


@declared
class AnswersAtLength(Counter):
    def value(self, job):
        return bytes(300 * 1024)


@declared
class PreparesInOnePlace(Counter):
    def prepare(self, work):
        self.work = work
        time.sleep(0.01)
        return super().prepare(self.work)


@declared
class MixesAnswers(Counter):
    said = 0

    def submit(self, *arguments):
        self.said = self.said if self.jobs else 0
        super().submit(*arguments)

    def advance(self, job):
        self.said += 1
        super().advance(job)

    def value(self, job):
        return self.said


@declared
class TakesOneAfterTheOther(Counter):
    def next(self):
        return self.jobs[0]


@declared
class DoesAllInOneStep(Counter):
    """Of the shortest."""

    def next(self):
        return min(self.jobs, key=lambda job: len(job.prepared))

    def advance(self, job):
        while job in self.jobs:
            super().advance(job)


@declared
class TellsThatItWasCancelled(Counter):
    def cancel(self, request_id):
        for job in [job for job in self.jobs if job.request_id == request_id]:
            self.jobs.remove(job)
            job.emit(Failed(request_id, "internal", "It was cancelled."))


@declared
class GoesOnInSilence(Counter):
    def cancel(self, request_id):
        for job in self.jobs:
            if job.request_id == request_id:
                job.emit = lambda event: None


@declared
class KnowsOnlyWhatItKnows(Counter):
    def cancel(self, request_id):
        if not self.closed and request_id not in [job.request_id for job in self.jobs]:
            raise KeyError(request_id)
        super().cancel(request_id)


@declared
class SaysNothingAtAll(Counter):
    """It takes a work that is wrong."""

    def prepare(self, work):
        return range(work.words)


@declared
class KeepsWhatItRefuses(Counter):
    def prepare(self, work):
        return range(work.words)

    def submit(self, request_id, work, prepared, emit):
        wrong = not prepared
        super().submit(request_id, work, range(40) if wrong else prepared, (lambda event: None) if wrong else emit)
        if wrong:
            raise refused("There is nothing to say.", "words")


@declared
class FailsTogether(Counter):
    def fail(self, job, error):
        for each in [*self.jobs]:
            super().fail(each, error)


@declared
class RaisesInStep(Counter):
    def fail(self, job, error):
        super().fail(job, error)
        raise error


@declared
class KeepsItsMemory(Counter):
    def close(self):
        self.jobs = []
        self.closed = True


@declared
class TellsThatItWasClosed(Counter):
    def close(self):
        for job in self.jobs:
            job.emit(Failed(job.request_id, "in_use", "It was closed."))
        super().close()
