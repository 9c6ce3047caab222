"""Options of `lf chat` that agent handlers bring."""

from __future__ import annotations

import pytest
from click.testing import CliRunner, Result
from llamafarm.cli.main import lf

HERDING = """
    import llamafarm

    @llamafarm.hookimpl
    def register_agent_handlers():
        flags = (
            llamafarm.ChatFlag("--herd-size", "herd_size", "How many cows.", metavar="N"),
            llamafarm.ChatFlag("--no-herd", "herd", "Leave the cows alone.", value=False),
            llamafarm.ChatFlag("--model", "herd", "What `lf chat` has itself.", value=True),
        )
        yield llamafarm.AgentHandlerSpec(
            "herd", "made for a test", lambda options: None, fields={"herd": bool, "herd_size": int}, flags=flags
        )
"""


@pytest.fixture
def herding(install, monkeypatch) -> None:
    install("acme-herding", HERDING)
    monkeypatch.setattr("llamafarm.cli.question.piped", str)


def chat(*arguments: str) -> Result:
    return CliRunner().invoke(lf, ["chat", "Hi", *arguments])


@pytest.mark.usefixtures("herding")
class TestFlagsOfHandlers:
    def test_a_flag_sets_the_field_of_its_handler(self):
        assert '"herd_size": 12, "herd": false' in chat("--herd-size", "12", "--no-herd", "--curl").output

    def test_what_is_not_given_is_not_sent(self):
        assert "herd" not in chat("--curl").output
        assert "herd_size" not in chat("--no-herd", "--curl").output

    def test_a_value_of_another_type_is_wrong_usage(self):
        refused = chat("--herd-size", "many", "--curl")
        assert refused.exit_code == 2
        assert "'many': Input should be a valid integer" in refused.output

    def test_the_help_shows_them(self):
        shown = " ".join(chat("--help").output.split())  # columns are as wide as whatever is installed
        assert "Options of agent handlers: " in shown
        assert "--herd-size N How many cows." in shown

    def test_the_options_of_lf_chat_go_before_those_of_handlers(self):
        assert "What `lf chat` has itself" not in chat("--help").output
        assert '"model": "x"' in chat("--model", "x", "--curl").output

    def test_one_that_nobody_has_is_still_unknown(self):
        refused = chat("--herd-sise", "3", "--curl")
        assert refused.exit_code == 2
        assert "No such option" in refused.output
        assert "--herd-size" in refused.output


@pytest.mark.parametrize(
    ("flag", "cause"),
    [
        ("llamafarm.ChatFlag('herd', 'herd', 'x')", "the flag 'herd' is not one: two dashes"),
        ("llamafarm.ChatFlag('--herd', 'cows', 'x')", "sets 'cows', which is no field of the handler 'herd'"),
    ],
)
def test_a_flag_that_cannot_work_is_told_to_its_author(install, flag, cause):
    from llamafarm.plugins.manager import PluginManager

    install(
        "acme-herding",
        f"""
        import llamafarm

        @llamafarm.hookimpl
        def register_agent_handlers():
            yield llamafarm.AgentHandlerSpec("herd", "x", print, fields={{"herd": bool}}, flags=({flag},))
        """,
    )
    [row] = [row for row in PluginManager(environ={}).statuses() if row.distribution == "acme-herding"]
    assert cause in row.cause
