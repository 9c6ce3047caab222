"""Contract tests of engines: what happens before a model is loaded, in processes that must stay light."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import pickle
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from llamafarm_universal.engine import Candidate, Fit, LoadPlan
from llamafarm_universal.testing.bench import Bench
from llamafarm_universal.testing.engine_case import EngineCase

HEAVY = (
    "PIL",
    "av",
    "diffusers",
    "huggingface_hub",
    "jax",
    "numpy",
    "onnxruntime",
    "pandas",
    "scipy",
    "sentence_transformers",
    "soundfile",
    "tensorflow",
    "tokenizers",
    "torch",
    "transformers",
)
"""Packages that take long to import, or much memory: only an engine host has them."""

FOREIGN = {"model_type": "somebody-elses", "architectures": ["SomebodyElsesThing"]}
"""The configuration of a model that no engine knows."""

NEAR = 0.25
"""How far the bytes that `fit` says may be from those that are loaded, of the larger number."""
SLACK_BYTES = 64 * 1024
"""…or this many: what a small model has beside its weights."""

_PROGRAM = """\
import json, pickle, sys
path, engine, heavy, candidate = pickle.load(sys.stdin.buffer)
sys.path[:] = path
def loaded():
    return [package for package in heavy if package in sys.modules]
from importlib import import_module
module, _, name = engine.partition(":")
spec = getattr(import_module(module), name)
at_import = loaded()
spec.fit(pickle.loads(candidate))
print(json.dumps([at_import, [package for package in loaded() if package not in at_import]]))
"""


class EngineFiles(EngineCase):
    """The engine's module, its works, and `fit`."""

    @pytest.fixture
    def imported(self, model_folder: Path) -> tuple[list[str], list[str]]:
        """The heavy packages that a fresh process has when the engine is imported, and those that `fit` adds."""
        given = (sys.path, self.engine, HEAVY, pickle.dumps(self.candidate_of(model_folder)))
        command = [sys.executable, "-c", _PROGRAM]
        done = subprocess.run(command, input=pickle.dumps(given), capture_output=True, timeout=100, check=False)  # noqa: S603
        assert done.returncode == 0, done.stderr.decode(errors="replace")
        at_import, by_fit = json.loads(done.stdout.splitlines()[-1])
        return at_import, by_fit

    def test_importing_it_brings_nothing_heavy(self, imported: tuple[list[str], list[str]]) -> None:
        """Every process of the runtime imports it: what is heavy is imported inside `load`."""
        assert not imported[0], f"importing {self.engine} imports {', '.join(imported[0])}"

    def test_fitting_brings_nothing_heavy(self, imported: tuple[list[str], list[str]]) -> None:
        """Models are weighed in the process that keeps the files, which has no such libraries."""
        assert not imported[1], f"`fit` imports {', '.join(imported[1])}"

    def test_fit_says_what_the_model_does_and_weighs(self, fit: Fit) -> None:
        assert fit.task in self.spec.tasks, f"the task {fit.task!r} is none of {', '.join(self.spec.tasks)}"
        assert type(fit.weight_bytes) is int and fit.weight_bytes > 0, f"it weighs {fit.weight_bytes!r} bytes"
        assert type(fit.working_bytes) is int and fit.working_bytes >= 0, f"it uses {fit.working_bytes!r} bytes"

    def test_fit_changes_nothing(self, candidate: Candidate) -> None:
        """It is asked again and again, by several processes at once, and the folder may be the user's own."""
        before, config = contents(candidate.folder), json.dumps(candidate.config)
        self.spec.fit(candidate)
        assert contents(candidate.folder) == before, "the files are not what they were"
        assert json.dumps(candidate.config) == config, "the configuration is not what it was"

    def test_fit_leaves_a_foreign_model_alone(self, candidate: Candidate, tmp_path: Path) -> None:
        """None for what it does not know, and no error: the next engine is asked then."""
        (tmp_path / "config.json").write_text(json.dumps(FOREIGN))
        ref = dataclasses.replace(candidate.ref, id=str(tmp_path))
        foreign = dataclasses.replace(candidate, ref=ref, folder=tmp_path, task=None, parameters=0)
        for config in (FOREIGN, {}):
            fit = self.spec.fit(dataclasses.replace(foreign, config=config))
            assert fit is None, f"`fit` says {fit} of a model that is not its own"

    def test_fit_weighs_what_is_loaded(self, plan: LoadPlan, bench: Bench) -> None:
        """The budget of a device is kept by what `fit` says."""
        said, loaded = plan.weight_bytes, bench.engine.model.memory_bytes
        most = max(NEAR * max(said, loaded), SLACK_BYTES)
        assert abs(said - loaded) <= most, f"`fit` says {said:,} bytes, and {loaded:,} are loaded"

    def test_its_works_can_be_sent_and_stay_what_they_are(self) -> None:
        """They go from process to process: frozen dataclasses that are equal to their copies."""
        for work in self.all_works():
            kind: Any = type(work)
            name = kind.__name__
            frozen = getattr(getattr(kind, "__dataclass_params__", None), "frozen", False)
            assert frozen, f"{name} is no frozen dataclass"
            assert isinstance(kind.operation, str) and kind.operation, f"{name} has no name of its operation"
            assert type(work.answers) is int and work.answers >= 1, f"{name} has {work.answers!r} answers"
            assert pickle.loads(pickle.dumps(work)) == work, f"a copy of {name} is another one"  # noqa: S301


def contents(folder: Path) -> dict[str, Any]:
    """What is in a folder: of each file its time and what it says."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {
        str(path.relative_to(folder)): (path.stat().st_mtime_ns, hashlib.sha256(path.read_bytes()).hexdigest())
        for path in files
    }
