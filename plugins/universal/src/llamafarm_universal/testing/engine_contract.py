"""The contract of engines: what the runtime relies on in every engine, as tests that an author subclasses.

from llamafarm_universal.testing import EngineContract


class TestBells(EngineContract):
    engine = "acme_bells.spec:ENGINE"
    works = [Ring("C4")]
    long = Ring("C4 D4 E4 F4 G4 A4 B4 C5")
    wrong = [Ring("H4")]

    def make_model(self, folder):
        (folder / "config.json").write_text('{"model_type": "bells"}')
"""

from __future__ import annotations

from llamafarm_universal.testing.engine_answers import EngineAnswers
from llamafarm_universal.testing.engine_failures import EngineFailures
from llamafarm_universal.testing.engine_files import EngineFiles
from llamafarm_universal.testing.engine_requests import EngineRequests
from llamafarm_universal.testing.engine_turns import EngineTurns


class EngineContract(EngineFiles, EngineRequests, EngineAnswers, EngineTurns, EngineFailures):
    """What holds for every engine; subclass it and name yours. The model is loaded for each test: give a small one.

    engine: where its EngineSpec is, as its entry point says it. make_model(folder): writes the model. works: a sample
    of each operation, answered the same way each time; the first is short. long: a work that takes many more steps than
    that. wrong: works that the engine refuses. requests: for each operation that the engine brings, the fields of a
    request with all that there are. weights(engine): what holds the memory of the loaded model.
    fail(engine, request_id, monkeypatch): makes the next step with that request raise an error.
    alike(alone, together): whether two answers are the same, where the last bits may differ. settings, limits: how the
    model is loaded. most_steps: after how many steps a work counts as endless. xfail: see Contract.
    """
