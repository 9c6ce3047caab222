"""`lf chat` as a user and a shell script see it, against a real server."""

from __future__ import annotations

import json
import os
import pty
import shlex
import signal
import subprocess
import time
from pathlib import Path

import pytest


@pytest.fixture
def project(farm, echo):
    farm.write(
        f"""
        runtime:
          models:
            - name: echo
              provider: openai
              model: echo-1
              base_url: {echo.url}
              model_api_parameters: {{temperature: 0.9, top_p: 0.5}}
            - {{name: other, provider: openai, model: echo-2, base_url: {echo.url}}}
        """
    )
    return farm


def test_the_answer_is_on_stdout_and_nothing_else(project):
    done = project.lf("chat", "Hello")

    assert (done.stdout, done.returncode) == ("You said: Hello\n", 0)
    assert done.stderr == ""


def test_text_file_and_pipe_are_one_message(project, echo):
    (project.folder / "notes.md").write_text("from the file\n")

    project.lf("chat", "Summarise this", "--file", "notes.md", stdin="from the pipe\n")

    assert echo.requests[0]["messages"] == [
        {"role": "user", "content": "Summarise this\n\nfrom the file\n\nfrom the pipe"}
    ]


def test_a_pipe_alone_is_enough(project):
    assert project.lf("chat", stdin="piped").stdout == "You said: piped\n"


def test_what_the_command_line_says_wins_over_the_configuration(project, echo):
    project.lf("chat", "Hi", "--temperature", "0.1", "--max-tokens", "5", "--system", "Be brief.", "--model", "echo")

    sent = echo.requests[0]
    assert (sent["temperature"], sent["top_p"], sent["max_tokens"]) == (0.1, 0.5, 5)
    assert sent["messages"][0] == {"role": "system", "content": "Be brief."}
    assert sent["model"] == "echo-1"


def test_another_model_is_asked_by_its_name(project, echo):
    project.lf("chat", "Hi", "--model", "other")

    assert echo.requests[0]["model"] == "echo-2"


def test_an_unknown_model_is_answered_with_the_nearest_names(project):
    done = project.lf("chat", "Hi", "--model", "ecko")

    assert done.returncode == 1
    assert "There is no model 'ecko'" in done.stderr
    assert "echo" in done.stderr
    assert "Traceback" not in done.stderr


def test_json_prints_the_whole_completion(project):
    done = project.lf("chat", "Hi", "--json")

    assert json.loads(done.stdout)["choices"][0]["message"]["content"] == "You said: Hi"


def test_no_stream_prints_the_same_text(project, echo):
    assert project.lf("chat", "Hi", "--no-stream").stdout == "You said: Hi\n"
    assert "stream" not in echo.requests[0]


@pytest.mark.parametrize("stream", ["--stream", "--no-stream"])
def test_usage_goes_to_stderr(project, stream):
    done = project.lf("chat", "Hi", "--usage", stream)

    assert done.stdout == "You said: Hi\n"
    assert done.stderr == "7 prompt tokens, 3 answer tokens, 10 in all\n"


def test_a_refusal_of_the_server_is_shown_in_its_own_words(project):
    done = project.lf("chat", "refuse")

    assert (done.returncode, done.stdout) == (1, "")
    assert "I do not answer that." in done.stderr


def test_without_any_text_the_usage_is_explained(project):
    done = project.lf("chat")

    assert done.returncode == 2
    assert "Give a text" in done.stderr


def test_a_server_that_is_not_there_is_named(farm):
    farm.write("runtime: {models: {gone: {provider: openai, model: m, base_url: 'http://127.0.0.1:9'}}}")

    done = farm.lf("chat", "Hi")

    assert done.returncode == 1
    assert "Cannot connect to openai at http://127.0.0.1:9/v1" in done.stderr


def test_without_a_configuration_the_way_to_one_is_shown(farm):
    done = farm.lf("chat", "Hi")

    assert done.returncode == 1
    assert "lf init" in done.stderr


def test_the_curl_command_can_be_pasted(project, echo):
    line = project.lf("chat", "It's $HOME", "--curl", "--server-url", echo.url, "--model", "echo").stdout

    answered = subprocess.run(line, shell=True, capture_output=True, text=True, timeout=30)

    assert shlex.split(line)[0] == "curl"
    assert "It's $HOME" in answered.stdout
    assert echo.requests[0]["messages"][0]["content"] == "It's $HOME"


def test_a_server_url_takes_the_question_to_a_server(farm, echo):
    assert farm.lf("chat", "Hi", "--server-url", echo.url, "--model", "m").stdout == "You said: Hi\n"


def test_a_session_goes_on_from_one_command_to_the_next(project, echo):
    began = project.lf("chat", "First", "--session", "new")
    session = began.stderr.split("--session ")[1].split("`")[0]

    project.lf("chat", "Second", "--session", session)

    assert [message["content"] for message in echo.requests[1]["messages"]] == ["First", "You said: First", "Second"]
    assert session in project.lf("sessions", "list").stdout
    assert "You said: Second" in project.lf("sessions", "show", session).stdout
    project.lf("sessions", "rm", session)
    assert json.loads(project.lf("sessions", "list", "--json").stdout) == []


def test_a_reader_that_goes_away_is_no_error_message(project):
    line = f"{shlex.quote(str(Path(os.sys.executable).parent / 'lf'))} chat Hi | true"

    done = subprocess.run(
        line,
        shell=True,
        cwd=project.folder,
        env=project.env(),
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
    )

    assert done.stderr == ""


class Terminal:
    """`lf` on a pseudo-terminal, as a person uses it."""

    def __init__(self, farm, *arguments: str) -> None:
        self._master, slave = pty.openpty()
        self._process = farm.start(*arguments, stdin=slave, stdout=slave, stderr=slave, start_new_session=True)
        os.close(slave)
        self.seen = ""

    def expect(self, text: str, *, seconds: float = 30) -> None:
        """Read until `text` has appeared after what was expected before."""
        deadline = time.monotonic() + seconds
        os.set_blocking(self._master, False)
        while text not in self.seen:
            assert time.monotonic() < deadline, f"{text!r} did not come; seen: {self.seen!r}"
            try:
                self.seen += os.read(self._master, 65536).decode(errors="replace")
            except BlockingIOError:
                time.sleep(0.02)
            except OSError:
                assert text in self.seen, f"{text!r} did not come before the end; seen: {self.seen!r}"
        self.seen = self.seen.split(text, 1)[1]

    def interrupt(self) -> None:
        """What Ctrl-C does."""
        self._process.send_signal(signal.SIGINT)

    def type(self, line: str) -> None:
        os.write(self._master, line.encode())

    def close(self) -> int:
        try:
            return self._process.wait(20)
        finally:
            self._process.kill()
            os.close(self._master)


def test_on_a_terminal_it_is_a_conversation(project, echo):
    terminal = Terminal(project, "chat")

    terminal.expect("> ")
    terminal.type("one\n")
    terminal.expect("You said: one")
    terminal.type("/model other\n")
    terminal.expect("Model: other")
    terminal.type("two\n")
    terminal.expect("You said: two")
    terminal.type("/clear\n")
    terminal.expect("forgotten")
    terminal.type("three\n")
    terminal.expect("You said: three")
    terminal.type("/exit\n")

    assert terminal.close() == 0
    assert [len(request["messages"]) for request in echo.requests] == [1, 3, 1]
    assert [request["model"] for request in echo.requests] == ["echo-1", "echo-2", "echo-2"]


def test_ctrl_c_stops_the_answer_and_not_the_conversation(project, echo):
    terminal = Terminal(project, "chat")

    terminal.expect("> ")
    terminal.type("go on\n")
    terminal.expect("You said: go on")
    terminal.interrupt()
    terminal.expect("(stopped)")
    terminal.expect("> ")
    terminal.interrupt()
    terminal.expect("/exit or Ctrl-D leaves")
    terminal.type("next\n")
    terminal.expect("You said: next")
    terminal.type("/exit\n")

    assert terminal.close() == 0
    assert [len(request["messages"]) for request in echo.requests] == [1, 1]


def test_ctrl_c_ends_a_single_question_with_its_own_exit_code(project):
    terminal = Terminal(project, "chat", "go on")

    terminal.expect("You said: go on")
    terminal.interrupt()

    assert terminal.close() == 130
    assert "Traceback" not in terminal.seen
