"""What holds for every command of `lf`."""

from __future__ import annotations

import contextlib
import os
import pty

import pytest

COMMANDS = ["chat", "models", "init", "serve", "start", "stop", "status", "logs", "sessions", "config", "plugins",
            "doctor", "completion", "version"]  # fmt: skip


def test_help_names_every_command(farm):
    shown = farm.lf("--help")

    assert shown.returncode == 0
    assert [name for name in COMMANDS if f"\n  {name} " not in shown.stdout] == []


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_its_own_help(farm, command):
    shown = farm.lf(command, "--help")

    assert shown.returncode == 0
    assert "Usage: lf" in shown.stdout
    assert "--debug" in shown.stdout


def test_an_unknown_command_is_wrong_usage_with_the_nearest_name(farm):
    shown = farm.lf("chta")

    assert shown.returncode == 2
    assert "Did you mean chat?" in shown.stderr


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        (["run", "qwen3:8b"], "lf chat --model NAME"),
        (["list"], "lf models list"),
        (["ps"], "lf status"),
        (["pull", "qwen3:8b"], "lf models pull NAME"),
        (["help"], "lf --help"),
        (["What is a token?"], "lf chat 'What is a token?'"),
    ],
)
def test_what_other_programs_call_otherwise_is_answered_with_the_command(farm, typed, meant):
    shown = farm.lf(*typed)

    assert shown.returncode == 2
    assert f"`{meant}`" in shown.stderr


def test_the_version_is_that_of_the_distribution(farm):
    from importlib.metadata import version

    assert farm.lf("--version").stdout == f"lf {version('llamafarm')}\n"
    assert version("llamafarm") in farm.lf("version").stdout


def test_config_and_cwd_stand_before_or_behind_the_command(farm, tmp_path):
    (tmp_path / "inner").mkdir()
    (tmp_path / "inner" / "my.yaml").write_text("name: mine\n")

    before = farm.lf("--cwd", "inner", "--config", "my.yaml", "config", "show", "--json")
    behind = farm.lf("config", "show", "--json", "--cwd", "inner", "--config", "my.yaml")

    assert '"mine"' in before.stdout
    assert before.stdout == behind.stdout


def test_init_writes_a_valid_configuration_and_never_overwrites(farm):
    first = farm.lf("init")
    text = (farm.folder / "llamafarm.yaml").read_text()
    again = farm.lf("init")

    assert first.returncode == 0
    assert farm.lf("config", "validate").returncode == 0
    assert again.returncode == 1
    assert "llamafarm.yaml" in again.stderr
    assert (farm.folder / "llamafarm.yaml").read_text() == text


def test_init_elsewhere_says_how_to_ask_from_here(farm):
    assert "--cwd" not in farm.lf("init").stdout
    sub = farm.lf("init", "sub").stdout
    named = farm.lf("init", "mine.yaml").stdout

    assert sub.rstrip().endswith(f"--cwd {farm.folder / 'sub'}")
    assert named.rstrip().endswith(f"--config {farm.folder / 'mine.yaml'}")


def test_without_any_provider_init_and_doctor_say_what_to_install(farm):
    farm.environ["LF_DISABLE_PLUGINS"] = "universal,ollama,openai,lemonade"

    wrote, checked = farm.lf("init"), farm.lf("doctor")

    assert "Before you try it" in wrote.stdout
    assert "universal" in wrote.stdout
    assert checked.returncode == 1
    assert "no plugin that brings a provider works here" in checked.stdout
    assert "Install one of: pip install " in checked.stdout
    assert "its model entry cannot be used" in checked.stdout


def test_models_are_listed_side_by_side_with_their_state(farm, echo):
    farm.write(
        f"""
        runtime:
          default_model: here
          models:
            here: {{provider: openai, model: echo, base_url: "{echo.url}"}}
            gone: {{provider: openai, model: echo, base_url: "http://127.0.0.1:9"}}
            odd: {{provider: nothing-like-it, model: x}}
        """
    )

    shown = farm.lf("models", "list")

    lines = {line.split()[0]: line for line in shown.stdout.splitlines()}
    assert "(default)" in lines["here"] and " available" in lines["here"]
    assert "not reachable" in lines["gone"]
    assert "nothing-like-it" in lines["odd"]
    assert "\x1b" not in shown.stdout


def test_doctor_says_what_to_do(farm):
    shown = farm.lf("doctor")

    assert "no llamafarm.yaml here" in shown.stdout
    assert "lf init" in shown.stdout


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_prints_a_script(farm, shell):
    assert "_LF_COMPLETE" in farm.lf("completion", shell).stdout


@pytest.mark.parametrize(("settings", "coloured"), [({}, True), ({"NO_COLOR": "1"}, False)])
def test_colour_is_for_terminals_and_not_for_those_who_want_none(farm, settings, coloured):
    farm.environ |= settings

    shown = on_a_terminal(farm, "doctor")

    assert ("\x1b[" in shown) == coloured
    assert "\x1b[" not in farm.lf("doctor").stdout


def on_a_terminal(farm, *arguments: str) -> str:
    """What `lf` prints where its output is a terminal."""
    master, slave = pty.openpty()
    with farm.start(*arguments, stdout=slave, stderr=slave):
        os.close(slave)
        shown = b""
        with contextlib.suppress(OSError):  # how a terminal says that nobody writes to it any more
            while piece := os.read(master, 65536):
                shown += piece
    os.close(master)
    return shown.decode()
