"""`lf eval rag` on a small corpus, in a real database, by a real embedder."""

from __future__ import annotations

import json
import shutil
from contextlib import contextmanager

import llamafarm
import pytest
from click.testing import CliRunner
from llamafarm.cli.main import lf
from llamafarm_kit.testing import Asked, Peer, ScriptedUpstream
from llamafarm_rag.config.project import database_of, dataset_of
from llamafarm_rag.database.opening import open_database
from llamafarm_rag.documents.reading import read
from llamafarm_rag.evaluation import running
from llamafarm_rag.evaluation.answer_measuring import Part
from llamafarm_rag.evaluation.finding import Searcher
from llamafarm_rag.evaluation.rows import QuestionRow
from llamafarm_rag.ingestion.processing import process
from runtime_process import embedding_project

DOCUMENTS = {
    "cows.md": "The herd is milked twice a day, at five in the morning and at four in the afternoon.",
    "pump.md": "Error E-417 of the slurry pump: its filter is clogged.",
    "fair.md": "The cheese fair takes place on the last Sunday of September.",
}
TABLE = """question,files,kind
How often do they take milk from the animals?,cows.md,meaning
What is E-417?,pump.md,code
When is the fair?,fair.md;fairs.md,meaning
Who won the race?,,nobody
"""
STRATEGIES = """\
      retrieval_strategies:
        - {name: both, type: HybridUniversalStrategy}
        - {name: near, type: BasicSimilarityStrategy, config: {score_threshold: 0.2}}
datasets: [{name: docs, sources: ["*.md"]}]
"""


class Direct:
    """Reads files in this process."""

    async def read(self, path, processing):
        return read(path, processing)


@pytest.fixture(scope="module")
def anyio_backend():
    return "asyncio"


@pytest.fixture(scope="module")
async def filled(tmp_path_factory, runtime_url, anyio_backend):
    """A project whose documents are in its database."""
    folder = tmp_path_factory.mktemp("farm")
    for name, text in DOCUMENTS.items():
        (folder / name).write_text(text)
    (folder / "questions.csv").write_text(TABLE)
    async with embedding_project(folder, runtime_url, STRATEGIES) as farm:
        await fill(farm, folder)
    return folder


async def fill(farm, folder):
    """Bring the documents of a folder into the database of a project."""
    environ = {"LF_DATA_DIR": str(folder / "data")}
    database = await open_database(farm.project, database_of(farm.project, None), environ)
    report = await process(farm.project, dataset_of(farm.project, None), database, farm, reader=Direct())
    await database.aclose()
    assert report.totals["added"] == 3


@pytest.fixture
def evaluate(filled, monkeypatch):
    monkeypatch.setenv("LF_DATA_DIR", str(filled / "data"))

    def run(*arguments):
        return CliRunner().invoke(lf, ["--cwd", str(filled), "eval", "rag", "questions.csv", *arguments], obj={})

    return run


def test_the_default_strategy_is_measured_and_absent_files_are_told(evaluate):
    done = evaluate("--misses")
    assert done.exit_code == 0, done.output
    assert "4 questions, 1 that no file answers" in done.stdout
    assert ["both", "3", "1.000", "1.000", "1.000", "1.000", "1.000"] in [
        line.split() for line in done.stdout.split("\n")
    ]
    assert "Warning, line 4: not in the database 'notes': fairs.md" in done.stderr
    assert "search" in done.stderr
    assert "Missed" not in done.stdout


def test_all_strategies_as_json_and_as_a_picture(evaluate, filled):
    done = evaluate("--all-strategies", "--json", "--k", "2", "--k", "1", "--picture", "recall.svg")
    figures = json.loads(done.stdout)
    assert [each["strategy"] for each in figures["strategies"]] == ["both", "near"]
    near = figures["strategies"][1]
    assert near["recall"]["found"] == {"1": 1.0, "2": 1.0}
    assert near["recall"]["files"]["2"] == pytest.approx((1 + 1 + 0.5) / 3)
    assert near["emptiness"]["unanswerable_empty"] == 1
    assert figures["complete"] is True
    assert len(figures["findings"]) == 8
    assert (filled / "recall.svg").read_text().startswith("<svg")


def test_a_row_that_fails_makes_the_exit_code_1(evaluate, filled):
    (filled / "broken.csv").write_text("question,files\n,cows.md\nWhat is E-417?,pump.md\n")
    done = CliRunner().invoke(lf, ["--cwd", str(filled), "eval", "rag", "broken.csv"], obj={}, standalone_mode=False)
    assert done.return_value == 1
    assert "Failed, line 2: There is nothing to search for" in done.stderr


def test_a_database_of_another_model_is_not_measured(evaluate, filled):
    config = filled / "llamafarm.yaml"
    text = config.read_text()
    config.write_text(text.replace("config: {model: minilm}", "config: {model: minilm, prompts: {query: 'query: '}}"))
    done = evaluate()
    config.write_text(text)
    assert "`lf rag rebuild notes` embeds everything anew" in str(done.exception)


def test_a_database_without_passages_is_not_measured(filled, tmp_path, monkeypatch):
    monkeypatch.setenv("LF_DATA_DIR", str(tmp_path / "data"))
    for name in ("llamafarm.yaml", "questions.csv"):
        shutil.copy(filled / name, tmp_path)
    done = CliRunner().invoke(lf, ["--cwd", str(tmp_path), "eval", "rag", "questions.csv"], obj={})
    assert "lf datasets" in str(done.exception)


def test_what_there_is_is_shown_when_it_is_stopped(filled, monkeypatch):
    monkeypatch.setenv("LF_DATA_DIR", str(filled / "data"))

    async def stopped(self, strategy, row, find=Searcher._find):
        if row.line == 4:
            raise KeyboardInterrupt
        return await find(self, strategy, row)

    monkeypatch.setattr(Searcher, "_find", stopped)
    arguments = ["--cwd", str(filled), "eval", "rag", "questions.csv"]
    done = CliRunner().invoke(lf, arguments, obj={}, standalone_mode=False)
    assert done.return_value == 130
    assert "Stopped" in done.stderr
    assert ["both", "2", "1.000", "1.000", "1.000", "1.000", "1.000"] in [
        line.split() for line in done.stdout.split("\n")
    ]


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["--retrieval-strategy", "nearby"], "There is no retrieval strategy 'nearby'"),
        (["--database", "note"], "Did you mean notes"),
        (["--model", "minilm"], "it goes with --answers"),
        (["--picture", "nowhere/recall.svg"], "cannot be written"),
    ],
)
def test_what_cannot_be_is_refused_before_anything_is_asked(evaluate, arguments, complaint):
    done = evaluate(*arguments)
    assert done.exit_code != 0
    assert complaint in done.stderr + str(done.exception)


@pytest.mark.anyio
async def test_answers_are_asked_for_by_the_names_that_were_given(filled, monkeypatch):
    asked = []

    class Asker:
        def __init__(self, farm, model, database, answers):
            self.names = (model, database)

        async def ask_all(self, rows, strategies, *, at_once, done):
            asked.append((self.names, strategies, at_once))

    monkeypatch.setenv("LF_DATA_DIR", str(filled / "data"))
    monkeypatch.setattr(running, "Asker", Asker)
    async with llamafarm.open(filled) as farm:
        for wish in (running.Wish(is_answered=True), running.Wish("notes", ("near",), False, True, "minilm", 2)):
            outcome = running.Outcome([], (1,))
            await running.run(farm, wish, outcome, _no_bar)
            assert outcome.is_whole
    assert asked == [((None, None), [None], 4), (("minilm", "notes"), ["near"], 2)]


async def _writes(asked: Asked, peer: Peer) -> None:
    """Cites the first source and one that is not there."""
    if asked.method == "GET":
        await peer.answer(200, {"object": "list", "data": [{"id": "m"}]})
        return
    message = {"role": "assistant", "content": "It is the clogged filter [1], says everybody [9]."}
    usage = {"prompt_tokens": 50, "completion_tokens": 10, "total_tokens": 60}
    choices = [{"index": 0, "message": message, "finish_reason": "stop"}]
    await peer.answer(200, {"object": "chat.completion", "model": "m", "choices": choices, "usage": usage})


@pytest.mark.anyio
async def test_a_model_answers_through_the_whole_road_of_a_chat(filled, monkeypatch):
    monkeypatch.setenv("LF_DATA_DIR", str(filled / "data"))
    rows = [
        QuestionRow(2, "What is E-417 of the pump?", ("pump.md",), ("clogged filter",)),
        QuestionRow(3, "Who won the race of the snails in Paris?"),
    ]
    async with ScriptedUpstream(_writes) as upstream:
        writer = f"{{name: writer, provider: openai, profile: generic, model: m, base_url: '{upstream.base_url}'}}"
        config = (filled / "llamafarm.yaml").read_text().replace("models:", f"models:\n    - {writer}", 1)
        (filled / "answering.yaml").write_text(f"handler: rag\n{config}")
        async with llamafarm.open(filled / "answering.yaml") as farm:
            await fill(farm, filled)
            outcome = running.Outcome(rows, (1,))
            await running.run(farm, running.Wish(None, ("near",), False, True, "writer"), outcome, _no_bar)
    [figures] = outcome.answer_figures()
    assert (figures.precision, figures.rightly_cited, figures.key_words) == (Part(1, 1), Part(1, 1), Part(1, 1))
    assert (figures.in_context, figures.wrongly_refused, figures.rightly_refused) == (
        Part(1, 1),
        Part(0, 1),
        Part(1, 1),
    )
    assert (figures.removed, figures.prompt_tokens, figures.failed) == (1, 50, 0)
    assert outcome.answers[0].text == "It is the clogged filter [1], says everybody."


@contextmanager
def _no_bar(label, length):
    yield lambda: None
