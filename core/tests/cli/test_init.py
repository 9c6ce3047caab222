"""`lf init`, with the sections of plugins."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from llamafarm.cli.main import lf
from llamafarm.plugins import catalogue

GRAZING = """
    import llamafarm
    from llamafarm.wire import EMBEDDINGS
    from pydantic import BaseModel

    class Meadow(BaseModel, extra="forbid"):
        embedder: str | None = None

    def example(at_hand):
        found = at_hand(EMBEDDINGS)
        text = f"meadow_land:\\n  embedder: {found and found[1]}\\n"
        return llamafarm.Example(text, ("lf graze",), "It takes all day.")

    @llamafarm.hookimpl
    def register_config_fragments():
        yield llamafarm.ConfigFragment(llamafarm.Section("meadow_land"), Meadow, example=example)

    @llamafarm.hookimpl
    def register_providers():
        yield llamafarm.ProviderSpec(
            "cow", "made for a test", llamafarm.ModelEntry, print, print, at_hand=lambda operation: "moo-embedder"
        )
"""


def init(folder: Path, *options: str) -> Result:
    return CliRunner().invoke(lf, ["init", str(folder), *options])


@pytest.mark.usefixtures("grazing")
class TestSectionsOfPlugins:
    @pytest.fixture
    def grazing(self, install, monkeypatch) -> None:
        monkeypatch.setenv("LF_DISABLE_PLUGINS", "llamafarm-universal")
        install("acme-grazing", GRAZING)

    def test_a_section_is_written_behind_what_is_always_written(self, tmp_path):
        done = init(tmp_path, "--meadow-land")
        assert done.exit_code == 0, done.output
        written = (tmp_path / "llamafarm.yaml").read_text()
        assert written.startswith("# LlamaFarm: one file names the models of a project.")
        assert written.endswith("meadow_land:\n  embedder: moo-embedder\n")

    def test_what_to_know_and_what_comes_next_is_said(self, tmp_path):
        lines = init(tmp_path, "--meadow-land").output.splitlines()
        assert "It takes all day." in lines
        assert lines[-1].startswith("Try it: lf graze")

    def test_without_the_option_it_is_not_there(self, tmp_path):
        assert init(tmp_path).output.splitlines()[-1].startswith('Try it: lf chat "What is LlamaFarm?"')
        assert "meadow_land" not in (tmp_path / "llamafarm.yaml").read_text()

    def test_the_help_names_the_sections_that_there_are(self):
        shown = CliRunner().invoke(lf, ["init", "--help"]).output
        assert "Sections of plugins:" in shown
        assert "--meadow-land" in shown


def test_a_section_that_is_not_installed_names_its_distribution(tmp_path, monkeypatch):
    monkeypatch.setitem(catalogue._catalogue()["section"], "hay_silo", "llamafarm-silo")
    refused = init(tmp_path, "--hay-silo")
    assert "belongs to a plugin that is not installed" in str(refused.exception)
    assert "pip install llamafarm-silo" in str(refused.exception)
    assert not list(tmp_path.iterdir())


def test_an_option_that_nobody_knows_is_wrong_usage(tmp_path):
    assert init(tmp_path, "--barn").exit_code == 2
