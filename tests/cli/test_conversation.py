"""A conversation of `lf chat` on a terminal."""

from __future__ import annotations

import pytest
from terminal import Terminal


@pytest.fixture
def terminal(project):
    made = Terminal(project, "chat")
    yield made
    made.close()


def test_on_a_terminal_it_is_a_conversation(project, echo, terminal):
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

    assert terminal.end() == 0
    assert [len(request["messages"]) for request in echo.requests] == [1, 3, 1]
    assert [request["model"] for request in echo.requests] == ["echo-1", "echo-2", "echo-2"]


def test_ctrl_c_stops_the_answer_and_not_the_conversation(project, echo, terminal):
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

    assert terminal.end() == 0
    assert [len(request["messages"]) for request in echo.requests] == [1, 1]


def talk(terminal: Terminal, text: str, answer: str) -> None:
    """Type one message at the prompt and wait for what is shown then."""
    terminal.expect("> ")
    terminal.type(f"{text}\n")
    terminal.expect(answer)


def asked(echo) -> list[str]:
    """The last message of each request."""
    return [request["messages"][-1]["content"] for request in echo.requests]


def test_a_pasted_text_of_several_lines_is_one_message(project, echo, terminal):
    talk(terminal, "\x1b[200~first\rsecond\x1b[201~", "second")
    terminal.expect("You said: first")
    talk(terminal, "/exit", "/exit")

    assert terminal.end() == 0
    assert asked(echo) == ["first\nsecond"]


def test_several_lines_stand_between_quotes_or_end_in_a_backslash(project, echo, terminal):
    terminal.expect("> ")
    for line, then in (('"""one', "... "), ("two", "... "), ('three"""', "You said: one")):
        terminal.type(f"{line}\n")
        terminal.expect(then)
    terminal.expect("> ")
    terminal.type("left\\\n")
    terminal.expect("... ")
    terminal.type("right\n")
    terminal.expect("You said: left")
    talk(terminal, "/exit", "/exit")

    assert terminal.end() == 0
    assert asked(echo) == ["one\ntwo\nthree", "left\nright"]


def test_the_models_are_listed_and_completed(project, echo, terminal):
    talk(terminal, "/model", "There are: echo, other.")
    talk(terminal, "/model ot\t", "Model: other")
    talk(terminal, "/model none", "There is no model 'none'")
    talk(terminal, "one", "You said: one")
    talk(terminal, "/exit", "/exit")

    assert terminal.end() == 0
    assert [request["model"] for request in echo.requests] == ["echo-2"]


def test_a_system_message_a_file_and_another_try(project, echo, terminal):
    (project.folder / "notes.md").write_text("from the file\n")
    talk(terminal, "/system Be brief.", "System message: Be brief.")
    talk(terminal, "/file notes.md", "goes with the next message")
    talk(terminal, "Read", "from the file")
    talk(terminal, "/retry", "from the file")
    talk(terminal, "/file none.md", "There is no file")
    talk(terminal, "/save talk.md", "Wrote talk.md")
    talk(terminal, "/exit", "/exit")

    assert terminal.end() == 0
    first, second = echo.requests
    assert first["messages"] == second["messages"]
    assert first["messages"][0] == {"role": "system", "content": "Be brief."}
    assert asked(echo)[0] == "Read\n\nfrom the file"
    assert "## assistant\n\nYou said: Read" in (project.folder / "talk.md").read_text()
