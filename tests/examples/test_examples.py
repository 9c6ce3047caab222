"""Each example is built, installed, tested and talked to where nothing of this workspace is but the core's wheel."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import httpx
import psutil
import pytest
from commands import Running, wait_until
from throwaway import Environment

BOUND = 400.0
"""Seconds that the tests of one example may take, on a machine that is busy with other things."""
BIRD = """\
runtime:
  models:
    - {name: bird, provider: echo, model: parrot}
"""
POLISHED = """\
runtime:
  models:
    - {name: bird, provider: echo, model: parrot, handler: polish}
    - name: polite-bird
      provider: echo
      model: parrot
      handler: polish
      extra_body: {polish: {style: very formal}}
"""


@pytest.mark.timeout(500)
def test_an_example_passes_its_own_tests(stranger: Environment, example: Path) -> None:
    """Only its tests and settings are there: its code can come from its wheel alone."""
    folder = stranger.folder / example.name
    shutil.copytree(example / "tests", folder / "tests")
    shutil.copy(example / "pyproject.toml", folder)
    tests = stranger.start("python", "-m", "pytest", "-q", "-p", "no:cacheprovider", cwd=folder)
    try:
        said, _ = tests.communicate(timeout=BOUND)
    finally:
        tests.kill()
    assert tests.returncode == 0, said
    assert "skipped" not in said


def test_all_are_installed_and_active(stranger: Environment) -> None:
    listed = stranger.lf("plugins", "list", "--json")
    assert {row["name"]: row["status"] for row in json.loads(listed.stdout)} == {
        "simple": "active",
        "echo": "active",
        "openai": "active",
        "polish": "active",
        "recall": "active",
        "universal": "active",
    }


def test_a_wheel_carries_type_hints_and_its_licence(stranger: Environment, example: Path) -> None:
    package = f"llamafarm_{example.name}"
    assert (stranger.site / package / "py.typed").exists()
    assert list(stranger.site.glob(f"{package}-*.dist-info/licenses/LICENSE"))


def test_an_example_is_written_from_public_names_alone(example: Path) -> None:
    """Those of `llamafarm` or of `llamafarm_universal.engine`, contract tests, and never a module inside."""
    lines = [line for path in example.rglob("*.py") for line in path.read_text().splitlines()]
    own = f"from llamafarm_{example.name}"
    imports = {line for line in lines if line.startswith(("from llamafarm", "import llamafarm"))}
    public = [f"llamafarm.{name}" for name in ("errors", "http", "services", "web", "wire")]
    public += ["llamafarm_kit.testing", "llamafarm_universal.engine", "llamafarm_universal.testing"]
    taken = {line.split(" import ")[0] for line in imports if not line.startswith(own)}
    assert taken
    assert taken <= {"import llamafarm", *(f"from {name}" for name in public)}


def test_a_chat_goes_through_the_provider(stranger: Environment) -> None:
    stranger.write("llamafarm.yaml", BIRD)
    done = stranger.lf("chat", "Hello there, bird.")
    assert (done.returncode, done.stdout) == (0, "Hello there, bird.\n"), done.stderr


def test_a_field_that_the_provider_cannot_do_is_refused_by_its_name(stranger: Environment) -> None:
    stranger.write("llamafarm.yaml", BIRD.replace("parrot}", "parrot, model_api_parameters: {logprobs: true}}"))
    done = stranger.lf("chat", "Hello there, bird.")
    assert done.returncode != 0
    assert "model_api_parameters.logprobs: the provider echo cannot do this" in done.stderr


def test_a_program_that_is_not_there_is_an_error_that_says_what_to_do(stranger: Environment) -> None:
    stranger.write("llamafarm.yaml", BIRD.replace("parrot}", "parrot, command: [no-such-program]}"))
    done = stranger.lf("chat", "Hello there, bird.")
    assert done.returncode != 0
    assert "no-such-program: No such file or directory" in done.stderr
    assert "`command` of the model entry" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_chat_goes_through_the_handler_which_rests_unless_it_is_asked(stranger: Environment) -> None:
    stranger.write("llamafarm.yaml", POLISHED)
    assert stranger.lf("chat", "Hello.").stdout == "Hello.\n"
    polished = stranger.lf("chat", "--model", "polite-bird", "Hello.")
    assert polished.returncode == 0, polished.stderr
    assert "in this style: very formal." in polished.stdout  # a parrot repeats what it is asked last


HANGS = """\
import json, os, time
print(json.dumps({"token": f"This is {os.getpid()}. "}), flush=True)
time.sleep(600)
"""


def test_interrupting_a_chat_kills_the_program(stranger: Environment) -> None:
    command = [str(stranger.python), str(stranger.write("hangs.py", HANGS))]
    stranger.write("llamafarm.yaml", BIRD.replace("parrot}", f"parrot, command: {json.dumps(command)}}}"))
    with Running(stranger.start("lf", "chat", "Hello.")) as chat:
        chat.until(". ")
        pid = int(chat.stdout.split()[-1].strip("."))
        assert psutil.pid_exists(pid)
        chat.interrupt()
        assert chat.end() != 0
    wait_until(lambda: not psutil.pid_exists(pid), "the program is killed")


@pytest.fixture(scope="module")
def api(stranger: Environment) -> Iterator[httpx.Client]:
    """The API of a project with two of the examples, served by the environment's own `lf`."""
    stranger.write("served/llamafarm.yaml", POLISHED)
    with Running(stranger.start("lf", "serve", "--port", "0", cwd=stranger.folder / "served")) as serving:
        serving.until("/v1\n", where="stderr")
        root = serving.stderr.split("listens on ")[1].split("/v1")[0]
        with httpx.Client(base_url=f"{root}/v1", timeout=60) as client:
            yield client


def ask(api: httpx.Client, **fields: object) -> httpx.Response:
    return api.post("/chat/completions", json={"messages": [{"role": "user", "content": "Hello."}], **fields})


def test_over_http_the_request_field_belongs_to_the_handler(api: httpx.Client) -> None:
    said = ask(api, polish={"style": "formal"}).json()["choices"][0]["message"]["content"]
    assert "in this style: formal." in said
    refused = ask(api, polish={"rounds": 9})
    assert (refused.status_code, refused.json()["error"]["param"]) == (400, "polish")
    wrong = ask(api, polish={"stile": "formal"})
    assert (wrong.status_code, wrong.json()["error"]["param"]) == (400, "polish")


def test_over_http_a_request_undoes_the_polish_of_its_entry(api: httpx.Client) -> None:
    assert ask(api, model="polite-bird", polish=None).json()["choices"][0]["message"]["content"] == "Hello."


def test_over_http_fields_without_effect_are_named_and_others_refused(api: httpx.Client) -> None:
    answer = ask(api, temperature=0.5, user="somebody")
    assert (answer.status_code, answer.headers["X-LF-Ignored"]) == (200, "temperature, user")
    refused = ask(api, logprobs=True)
    assert (refused.status_code, refused.json()["error"]["param"]) == (400, "logprobs")


def test_over_http_a_stream_ends_with_its_usage_where_that_is_asked_for(api: httpx.Client) -> None:
    *_, last, done = ask(api, stream=True, stream_options={"include_usage": True}).text.split("\n\n")[:-1]
    assert json.loads(last.removeprefix("data: "))["usage"]["total_tokens"] == 2
    assert done == "data: [DONE]"


def test_wrong_options_of_the_handler_are_shown_where_they_stand(stranger: Environment) -> None:
    path = stranger.write("llamafarm.yaml", POLISHED + "handlers: {polish: {stile: formal}}\n")
    done = stranger.lf("chat", "Hello.")
    assert done.returncode != 0
    assert f"{path.name}:" in done.stderr
    assert "stile" in done.stderr
    assert "style" in done.stderr
