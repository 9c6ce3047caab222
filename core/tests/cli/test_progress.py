"""What is shown before the first token: a changing line for a person, plain lines for a log."""

from __future__ import annotations

import sys

import pytest
from llamafarm.cli.progress import ProgressLine
from llamafarm.providers.base import Progress


@pytest.fixture
def screen(capsys, monkeypatch):
    """stderr as a terminal; read what it got with `shown`."""
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    return capsys


def shown(screen) -> str:
    return screen.readouterr().err


def test_a_download_shows_how_much_of_it_is_there(screen):
    line = ProgressLine()
    line(Progress("downloading", "Downloading org/model", done=1_500_000, total=3_000_000))

    assert shown(screen) == "\r\x1b[2KDownloading org/model  1.5 MB of 3.0 MB"


def test_the_line_is_gone_before_the_answer(screen):
    line = ProgressLine()
    line(Progress("loading", "Loading org/model"))
    line.clear()

    assert shown(screen).endswith("\r\x1b[2K")


def test_a_line_that_is_longer_than_the_terminal_is_cut_so_that_it_can_be_removed(screen, monkeypatch):
    monkeypatch.setenv("COLUMNS", "20")
    ProgressLine()(Progress("loading", "Loading a model with a very long name"))

    assert shown(screen) == "\r\x1b[2KLoading a model wit"


def test_elsewhere_each_stage_is_one_plain_line(capsys):
    line = ProgressLine()
    for done in (1, 2, 3):
        line(Progress("downloading", "Downloading org/model", done=done, total=3))
    line(Progress("loading", "Loading org/model"))
    line.clear()

    assert shown(capsys) == "Downloading org/model\nLoading org/model\n"


def test_a_model_that_is_there_already_is_not_mentioned(capsys):
    ProgressLine()(Progress("ready", "org/model is loaded"))

    assert shown(capsys) == ""
