"""`lf chat` as a user and a shell script see it, against a real server."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
from pathlib import Path

import pytest
from commands import Running, Served
from terminal import Terminal


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


@pytest.mark.parametrize("option", [[], ["--curl"]])
def test_an_address_that_is_none_is_wrong_usage(project, option):
    done = project.lf("chat", "Hi", "--server-url", "nonsense", *option)

    assert done.returncode == 2
    assert "--server-url: 'nonsense' is not an address" in done.stderr


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


def test_a_session_is_named_by_its_beginning_and_the_last_one_by_none(project, echo):
    session = project.lf("chat", "First", "--session", "new").stderr.split("--session ")[1].split("`")[0]

    project.lf("chat", "Second", "--session", session[:4])
    project.lf("chat", "Third", "-c")

    assert [len(request["messages"]) for request in echo.requests] == [1, 3, 5]
    assert "You said: Third" in project.lf("sessions", "show", session[:4]).stdout
    assert project.lf("sessions", "rm", session[:4]).stdout == f"Deleted {session}.\n"


def test_a_session_that_is_not_kept_is_refused_with_the_remedy_of_the_command_line(project, echo):
    unknown = project.lf("chat", "Hi", "--session", "nothing")
    none = project.lf("chat", "Hi", "--continue")

    assert unknown.returncode == none.returncode == 1
    assert "has no session 'nothing'" in unknown.stderr
    assert "lf sessions list" in unknown.stderr
    assert "X-Session-ID" not in unknown.stderr
    assert "lf chat --session new" in none.stderr
    assert echo.requests == []


def test_a_project_of_the_same_name_in_another_folder_has_sessions_of_its_own(project, echo):
    other = project.folder / "copy"
    other.mkdir()
    text = (project.folder / "llamafarm.yaml").read_text()
    project.write(f"{text.rstrip()}\n        name: shop\n")
    (other / "llamafarm.yaml").write_text(f"{text.rstrip()}\n        name: shop\n")
    project.lf("chat", "First", "--session", "new")

    assert json.loads(project.lf("sessions", "list", "--json", "--cwd", "copy").stdout) == []
    assert len(json.loads(project.lf("sessions", "list", "--json").stdout)) == 1


def test_words_that_nobody_quoted_are_one_question(project, echo):
    project.lf("chat", "What", "is", "a", "token?")

    assert echo.requests[0]["messages"][0]["content"] == "What is a token?"


def test_a_terminal_that_lacks_a_character_gets_another_and_no_crash(project):
    project.environ["PYTHONIOENCODING"] = "cp1252"

    done = project.lf("chat", "a 🦙 here")

    assert (done.stdout, done.stderr, done.returncode) == ("You said: a ? here\n", "", 0)


def test_a_pipe_that_says_nothing_is_waited_for_with_a_word(project):
    with Running(project.start("chat", stdin=subprocess.PIPE)) as command:
        command.until("Reading standard input", where="stderr")
        command.process.stdin.write("at last")
        command.process.stdin.close()
        assert command.end() == 0
        assert command.stdout == "You said: at last\n"


def test_what_a_server_refuses_has_the_remedies_of_that_road(project):
    project.environ["LF_API_KEY"] = "the-key-of-the-server"
    with Served(project) as url:
        del project.environ["LF_API_KEY"]
        refused = project.lf("chat", "Hi", "--server-url", url)
        project.environ["LF_API_KEY"] = "the-key-of-the-server"
        answered = project.lf("chat", "Hi", "--server-url", url)
    gone = project.lf("chat", "Hi", "--server-url", url)

    assert "LF_API_KEY" in refused.stderr
    assert "`api_key`" not in refused.stderr
    assert answered.stdout == "You said: Hi\n"
    assert "`lf serve` starts one" in gone.stderr
    assert "base_url" not in gone.stderr


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


def test_ctrl_c_ends_a_single_question_with_its_own_exit_code(project):
    terminal = Terminal(project, "chat", "go on")

    terminal.expect("You said: go on")
    terminal.interrupt()

    assert terminal.end() == 130
    assert "Traceback" not in terminal.seen
    terminal.close()


def test_the_trace_tells_on_stderr_what_the_turn_did(project):
    done = project.lf("chat", "Hi", "--trace")
    with Served(project) as url:
        remote = project.lf("chat", "Hi", "--trace", "--server-url", url)

    assert done.stdout == remote.stdout == "You said: Hi\n"
    for told in (done.stderr, remote.stderr):
        assert 'provider="openai" model="echo-1"' in told


SHOP = """
prompts: {{shop: "Serve {{{{name}}}} from {{{{town | anywhere}}}}."}}
runtime: {{models: [{{name: echo, provider: openai, model: echo-1, base_url: {url}}}]}}
"""


def test_a_turn_that_fails_tells_its_trace_too(project):
    done = project.lf("chat", "refuse", "--trace")

    lines = done.stderr.splitlines()
    assert 'provider="openai" model="echo-1"' in lines[0]
    assert lines[-1].endswith("Error: I do not answer that.")
    assert done.returncode == 1


def test_variables_of_prompts_are_given_on_the_command_line(project, echo):
    project.write(SHOP.format(url=echo.url))

    given = project.lf("chat", "Hi", "--var", "name=Ada = Bob")
    without = project.lf("chat", "Hi")

    assert given.stdout == "You said: Hi\n", given.stderr
    assert echo.requests[0]["messages"][0]["content"] == "Serve Ada = Bob from anywhere."
    assert "needs the variable 'name'" in without.stderr
    assert "--var name=…" in without.stderr


def test_the_operator_chooses_any_handler_of_the_project_and_a_server_says_which(project):
    chosen = ("--handler", "guard", "--handler", "simple", "--var", "name=Ada")
    here = project.lf("chat", "Hi", *chosen)
    with Served(project) as url:
        there = project.lf("chat", "refuse", *chosen, "--server-url", url)
        traced = project.lf("chat", "refuse", "--trace", "--server-url", url)
    shown = project.lf("chat", "Hi", *chosen, "--curl")

    assert here.stdout == "You said: Hi\n"
    assert "does not let a request choose the agent handler 'guard'" in there.stderr
    assert 'provider="openai" model="echo-1"' in traced.stderr.splitlines()[0]
    assert '"variables": {"name": "Ada"}, "handler": ["guard", "simple"]' in shown.stdout
