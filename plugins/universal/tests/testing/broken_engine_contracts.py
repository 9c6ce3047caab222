"""The contract, held against each engine of broken_engines.py; test_engine_contract.py looks at the outcomes."""

from __future__ import annotations

import json

from broken_engines import Say, SayLoosely
from llamafarm_universal.testing import EngineContract


class Broken(EngineContract):
    """The engine is the one of the class's name."""

    works = [Say(2), Say(3, n=2)]
    long = Say(40)
    wrong = [Say(-1)]
    requests = {"say": {"words": 2}}

    def __init_subclass__(cls, module: str = "broken_engines") -> None:
        super().__init_subclass__()
        if "engine" not in vars(cls):
            cls.engine = f"{module}:{cls.__name__.removeprefix('Test')}"

    def make_model(self, folder):
        (folder / "config.json").write_text(json.dumps({"model_type": "counting"}))

    def weights(self, engine):
        return [engine.memory]

    def fail(self, engine, request_id, monkeypatch):
        word = engine.word

        def broken(job):
            if job.request_id == request_id:
                raise RuntimeError("broken")
            return word(job)

        monkeypatch.setattr(engine, "word", broken)


class TestSound(Broken):
    pass


class TestEndsInSubmit(Broken):
    works = [Say(2), Say(1)]


class TestImportsWhenItIsImported(Broken, module="heavy_engine"):
    pass


class TestImportsWhenItFits(Broken):
    pass


class TestPromisesMoreThanItDoes(Broken):
    pass


class TestFitsAnotherTask(Broken):
    pass


class TestWritesWhenItFits(Broken):
    pass


class TestChangesTheConfiguration(Broken):
    pass


class TestFitsEverything(Broken):
    pass


class TestFailsOnWhatItDoesNotKnow(Broken):
    pass


class TestWeighsTooLittle(Broken):
    pass


class TestHasLooseWorks(Broken):
    engine = "broken_engines:Sound"
    works = [SayLoosely(2)]


class TestReadsAnotherOperation(Broken):
    pass


class TestTakesFieldsOut(Broken):
    pass


class TestTakesAnyField(Broken):
    pass


class TestTrustsRequests(Broken):
    pass


class TestAnswersWithASecret(Broken):
    pass


class TestTellsAnotherFormat(Broken):
    pass


class TestTellsMoreOperations(Broken):
    pass


class TestEndsAnAnswerTwice(Broken):
    pass


class TestSaysMoreAfterTheEnd(Broken):
    pass


class TestTellsOfAnAnswerThatNobodyAsked(Broken):
    pass


class TestTellsOfSomebodyElse(Broken):
    pass


class TestAcceptsLate(Broken):
    pass


class TestAcceptsForAnotherModel(Broken):
    pass


class TestSaysThatNothingRemains(Broken):
    pass


class TestAnswersWithNumbersOfALibrary(Broken):
    requests = {}


class TestAnswersAtLength(Broken):
    pass


class TestPreparesInOnePlace(Broken):
    pass


class TestMixesAnswers(Broken):
    pass


class TestTakesOneAfterTheOther(Broken):
    pass


class TestDoesAllInOneStep(Broken):
    pass


class TestTellsThatItWasCancelled(Broken):
    pass


class TestGoesOnInSilence(Broken):
    pass


class TestKnowsOnlyWhatItKnows(Broken):
    pass


class TestSaysNothingAtAll(Broken):
    pass


class TestKeepsWhatItRefuses(Broken):
    pass


class TestFailsTogether(Broken):
    pass


class TestRaisesInStep(Broken):
    pass


class TestKeepsItsMemory(Broken):
    pass


class TestTellsThatItWasClosed(Broken):
    pass


class TestReplacesAContractTest(Broken):
    engine = "broken_engines:Sound"

    def test_fit_changes_nothing(self):
        pass
