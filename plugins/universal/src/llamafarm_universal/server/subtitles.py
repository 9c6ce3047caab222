"""Transcripts as subtitles.

Sources: the SubRip format as players read it; WebVTT (W3C).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any


def srt(segments: Sequence[Mapping[str, Any]]) -> str:
    """SubRip: numbered, with commas in its times."""
    cues = [
        f"{number}\n{_time(each['start'], ',')} --> {_time(each['end'], ',')}\n{_line(each['text'])}\n"
        for number, each in enumerate(segments, 1)
    ]
    return "\n".join(cues)


def vtt(segments: Sequence[Mapping[str, Any]]) -> str:
    """WebVTT. What would be markup is escaped."""
    cues = [
        f"{_time(each['start'], '.')} --> {_time(each['end'], '.')}\n{_escaped(_line(each['text']))}\n"
        for each in segments
    ]
    return "\n".join(["WEBVTT\n", *cues])


def _line(text: str) -> str:
    """A text without line ends: an empty line would end its cue."""
    return " ".join(text.split())


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _time(seconds: float, point: str) -> str:
    whole, thousandths = divmod(round(seconds * 1000), 1000)
    return f"{whole // 3600:02}:{whole // 60 % 60:02}:{whole % 60:02}{point}{thousandths:03}"
