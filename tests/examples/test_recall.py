"""The example `recall` as a stranger has it: notes that a real embedding model finds are shown, named and traced."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import httpx
import psutil
import pytest
from commands import Running, Served, wait_until
from farms import Farm
from throwaway import Environment

COWS, BARN = "Cows eat hay in winter.", "The red barn was built in 1902."
FAR = "Our tax adviser is on holiday until Monday."
NOTES = f"# What we know\n{COWS}\n{BARN}\n{FAR}\n"
QUESTION = "What do you feed cattle when it is cold?"
PROJECT = """\
runtime:
  models:
    - {name: bird, provider: echo, model: parrot, handler: recall}
    - {name: vectors, provider: openai, model: minilm, base_url: BASE_URL}
handlers:
  recall: {notes: notes.txt, embedder: vectors, threshold: 0.4}
"""


@pytest.fixture(scope="module")
def project(shared: Farm) -> Iterator[str]:
    """A llamafarm.yaml whose vectors come from a Universal Runtime, through an API of somebody else."""
    with Served(shared) as root:
        yield PROJECT.replace("BASE_URL", f"{root}/v1")


@pytest.fixture
def folder(stranger: Environment, project: str, tmp_path: Path) -> Path:
    (tmp_path / "llamafarm.yaml").write_text(project)
    (tmp_path / "notes.txt").write_text(NOTES)
    return tmp_path


@pytest.fixture
def served(stranger: Environment, folder: Path) -> Iterator[Running]:
    with Running(stranger.start("lf", "serve", "--port", "0", cwd=folder)) as serving:
        serving.until("/v1\n", where="stderr")
        yield serving


@pytest.fixture
def api(served: Running) -> Iterator[httpx.Client]:
    root = served.stderr.split("listens on ")[1].split("/v1")[0]
    with httpx.Client(base_url=f"{root}/v1", timeout=60) as client:
        yield client


def ask(api: httpx.Client, question: str = QUESTION, *, trace: bool = False, **fields: object) -> httpx.Response:
    body = {"messages": [{"role": "user", "content": question}], **fields}
    answer = api.post("/chat/completions", json=body, headers={"X-LF-Trace": "1"} if trace else {})
    assert answer.status_code == 200, answer.text
    return answer


def test_the_model_is_shown_the_note_that_means_the_same_and_no_other(stranger: Environment, folder: Path) -> None:
    done = stranger.lf("chat", "--trace", QUESTION, cwd=folder)
    assert done.returncode == 0, done.stderr
    assert COWS in done.stdout
    assert BARN not in done.stdout
    assert done.stdout.endswith(f"\n\n{QUESTION}\n")
    [traced] = [line for line in done.stderr.splitlines() if " recall " in line]
    assert "used=1" in traced
    assert "scores=[0." in traced


def test_a_whole_answer_names_its_sources(api: httpx.Client) -> None:
    answer = ask(api, trace=True).json()
    [source] = answer["sources"]
    assert (source["text"], source["line"], 0.4 < source["score"] < 1) == (COWS, 2, True)
    [note] = [row for row in answer["llamafarm"]["trace"] if row["stage"] == "recall"]
    assert (note["scores"][0], note["used"]) == (source["score"], 1)


def test_a_stream_ends_with_its_sources(api: httpx.Client) -> None:
    *chunks, last, done = ask(api, stream=True).text.split("\n\n")[:-1]
    sources = json.loads(last.removeprefix("data: "))["sources"]
    assert [source["text"] for source in sources] == [COWS]
    assert "finish_reason" in chunks[-1]
    assert done == "data: [DONE]"


def test_a_question_about_something_else_and_one_that_wants_no_notes_have_no_sources(api: httpx.Client) -> None:
    assert "sources" not in ask(api, "Which key do I press to undo?").json()
    assert "sources" not in ask(api, recall=False).json()


def test_a_note_that_is_added_is_known_to_the_next_question(api: httpx.Client, folder: Path) -> None:
    ask(api)
    with (folder / "notes.txt").open("a") as notes:
        notes.write("In cold weather cattle also get silage.\n")
    assert [source["line"] for source in ask(api).json()["sources"]] == [5, 2]


def test_notes_are_open_from_the_first_question_until_the_project_is_read_again(
    api: httpx.Client, served: Running, folder: Path
) -> None:
    process = psutil.Process(served.process.pid)

    def open_notes() -> set[str]:
        return {Path(file.path).name for file in process.open_files() if file.path.endswith(".txt")}

    assert open_notes() == set()
    ask(api)
    assert open_notes() == {"notes.txt"}
    (folder / "other.txt").write_text(f"{BARN}\n")
    config = folder / "llamafarm.yaml"
    config.write_text(config.read_text().replace("notes.txt", "other.txt"))
    wait_until(lambda: ask(api, "How old is the barn?").json()["sources"][0]["line"] == 1, "the other notes are read")
    wait_until(lambda: open_notes() == {"other.txt"}, "the notes are closed")


@pytest.mark.parametrize(
    ("wrong", "messages"),
    [
        ("notes: nots.txt", ["nots.txt cannot be read: No such file or directory", "`notes`"]),
        ("embedder: vector", ["llamafarm.yaml:", "There is no model 'vector'", "Did you mean vectors?"]),
        ("embedder: bird", ["embeddings", "'bird'"]),
        ("threshold: 7", ["llamafarm.yaml:", "threshold"]),
    ],
    ids=["no-such-file", "no-such-entry", "no-embeddings", "no-cosine"],
)
def test_what_is_wrong_is_told_without_a_traceback(
    stranger: Environment, folder: Path, wrong: str, messages: list[str]
) -> None:
    options = {"notes": "notes.txt", "embedder": "vectors", **dict([wrong.split(": ")])}
    config = folder / "llamafarm.yaml"
    config.write_text(f"{config.read_text().partition('handlers:')[0]}handlers: {json.dumps({'recall': options})}\n")
    done = stranger.lf("chat", QUESTION, cwd=folder)
    assert done.returncode != 0
    assert [message for message in messages if message not in done.stderr] == [], done.stderr
    assert "Traceback" not in done.stderr
