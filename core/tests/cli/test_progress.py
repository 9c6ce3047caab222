"""What is shown before the first token: a changing line for a person, plain lines for a log."""

from __future__ import annotations

import io

from llamafarm.cli.output import width
from llamafarm.cli.progress import ProgressLine
from llamafarm.providers.base import Progress


class Screen(io.StringIO):
    def isatty(self) -> bool:
        return True

    @property
    def last(self) -> str:
        """What stands in the line now."""
        return self.getvalue().rpartition("\x1b[2K")[2]


def test_a_download_shows_how_much_of_it_is_there():
    screen = Screen()
    line = ProgressLine(screen)
    line(Progress("downloading", "Downloading org/model", done=1_500_000, total=3_000_000))

    assert screen.getvalue() == "\r\x1b[2KDownloading org/model  1.5 MB of 3.0 MB"


def test_the_line_is_gone_before_the_answer():
    screen = Screen()
    with ProgressLine(screen) as line:
        line(Progress("loading", "Loading org/model"))

    assert screen.getvalue().endswith("\r\x1b[2K")


def test_where_nothing_took_time_nothing_is_written():
    screen = Screen()
    with ProgressLine(screen):
        pass

    assert screen.getvalue() == ""


def test_the_file_the_speed_and_the_time_left_are_told_once_they_can_be(monkeypatch):
    clock = iter([0.0, 0.0, 2.0])
    monkeypatch.setattr("llamafarm.cli.progress.time.monotonic", lambda: next(clock))
    screen = Screen()
    line = ProgressLine(screen)
    for done in (1_000_000, 3_000_000):
        line(Progress("downloading", "Downloading", done, 8_000_000, "b.safetensors", 2, 7))

    assert screen.last == "Downloading  file 2 of 7  3.0 MB of 8.0 MB  1.0 MB/s  5 s left"


def test_a_stage_after_a_download_does_not_keep_its_bytes():
    screen = Screen()
    line = ProgressLine(screen)
    line(Progress("downloading", "Downloading", 2, 2))
    line(Progress("downloading", "Checking"))

    assert screen.last == "Checking …"


def test_where_the_terminal_is_narrow_the_text_gives_way_to_the_numbers(monkeypatch):
    monkeypatch.setenv("COLUMNS", "50")
    screen = Screen()
    ProgressLine(screen)(Progress("downloading", "Downloading a model モデル of a long name", 1, 2, "a", 1, 2))

    assert screen.last.startswith("Downloading a model")
    assert screen.last.endswith("file 1 of 2  1 B of 2 B")
    assert width(screen.last) <= 49


def test_a_line_that_is_longer_than_the_terminal_is_cut_so_that_it_can_be_removed(monkeypatch):
    monkeypatch.setenv("COLUMNS", "20")
    screen = Screen()
    ProgressLine(screen)(Progress("loading", "Loading a model with a very long name"))

    assert screen.getvalue() == "\r\x1b[2KLoading a model wit"


def test_elsewhere_each_stage_is_one_plain_line():
    log = io.StringIO()
    line = ProgressLine(log)
    for done in (1, 2, 3):
        line(Progress("downloading", "Downloading org/model", done=done, total=3))
    line(Progress("loading", "Loading org/model"))

    assert log.getvalue() == "Downloading org/model\nLoading org/model\n"


def test_a_model_that_is_there_already_is_not_mentioned():
    log = io.StringIO()
    ProgressLine(log)(Progress("ready", "org/model is loaded"))

    assert log.getvalue() == ""


def test_foreign_texts_do_not_steer_the_terminal():
    screen, log = Screen(), io.StringIO()
    for stream in (screen, log):
        ProgressLine(stream)(Progress("downloading", "a\x1b[31mb\nc"))

    assert screen.getvalue() == "\r\x1b[2Ka [31mb c …"
    assert log.getvalue() == "a [31mb c\n"


def test_what_is_done_once_the_model_is_ready_is_shown_until_the_end():
    screen = Screen()
    with ProgressLine(screen, doing="Listening to cow.wav") as line:
        assert screen.last == "Listening to cow.wav …"
        line(Progress("loading", "Loading org/model"))
        assert screen.last == "Loading org/model …"
        line(Progress("ready", "org/model is loaded on cpu"))
        assert screen.last == "Listening to cow.wav …"
    assert screen.last == ""

    log = io.StringIO()
    with ProgressLine(log, doing="Listening to cow.wav") as line:
        line(Progress("ready", "org/model is loaded on cpu"))
    assert log.getvalue() == ""


def test_what_is_ready_does_not_go_on():
    screen = Screen()
    ProgressLine(screen)(Progress("ready", "org/model is loaded on cpu"))
    assert screen.last == "org/model is loaded on cpu"
