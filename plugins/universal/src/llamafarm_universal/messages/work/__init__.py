"""Works: what each operation asks of an engine, a frozen dataclass for each."""

from __future__ import annotations

from llamafarm_universal.messages.work.base import Work
from llamafarm_universal.messages.work.encode import (
    Classes,
    Classify,
    Embed,
    Entity,
    FindEntities,
    InputType,
    Score,
    Scores,
    Strategy,
)
from llamafarm_universal.messages.work.text import ChatPrompt, Count, Generate, Sampling, TextPrompt

__all__ = [
    "ChatPrompt",
    "Classes",
    "Classify",
    "Count",
    "Embed",
    "Entity",
    "FindEntities",
    "Generate",
    "InputType",
    "Sampling",
    "Score",
    "Scores",
    "Strategy",
    "TextPrompt",
    "Work",
]
