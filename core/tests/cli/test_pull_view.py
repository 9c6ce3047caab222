"""What a person sees of a pull: one bar with the file, the bytes, the speed and the time left."""

from __future__ import annotations

import io
import re

from llamafarm.cli.pull_view import bar
from llamafarm.providers.base import Progress
from rich.console import Console


class Screen:
    """A terminal of a fixed width, and what was written to it."""

    def __init__(self, width: int = 100):
        self.written = io.StringIO()
        self.console = Console(
            file=self.written, force_terminal=True, width=width, height=20, legacy_windows=False, no_color=True
        )

    def shows(self, *steps: Progress) -> str:
        """What the bar shows after these steps."""
        with bar(self.console) as show:
            for step in steps:
                show(step)
        return self.written.getvalue()


def test_a_bar_tells_the_file_and_the_bytes():
    shown = Screen().shows(
        Progress("downloading", "Downloading org/model", 1_500_000, 3_000_000, "b.safetensors", 2, 7)
    )

    assert "Downloading org/model" in shown
    assert "file 2 of 7" in shown
    assert "1.5 MB of 3.0 MB" in shown


def test_a_stage_without_bytes_is_its_text_alone():
    shown = Screen().shows(Progress("starting", "Starting the runtime"))

    assert "Starting the runtime" in shown
    assert " of " not in shown


def test_a_stage_after_a_download_does_not_keep_its_bytes():
    screen = Screen()
    shown = screen.shows(Progress("downloading", "Downloading", 2, 2), Progress("downloading", "Checking"))

    assert "2 B of 2 B" not in shown.rpartition("Checking")[2]
    assert " of " not in shown.rpartition("Checking")[2]


def test_foreign_texts_neither_steer_the_terminal_nor_mark_it_up():
    shown = Screen().shows(Progress("downloading", "evil\x1b[2J [red]model[/red]", 1, 2))

    assert "\x1b[2J" not in shown
    assert "[red]model[/red]" in shown


def test_a_line_on_a_narrow_terminal_stays_one_line():
    shown = Screen(width=60).shows(Progress("downloading", "Downloading a model of a very long name", 1, 2, "a", 1, 2))
    bars = [line for line in re.split(r"[\r\n]", re.sub(r"\x1b\[[0-9;?]*\w", "", shown)) if line]

    assert bars[-1].startswith("Downl")
    assert bars[-1].endswith("file 1 of 2  1 B of 2 B")
    assert all(len(line) <= 60 for line in bars)
