"""Works: what each operation asks of an engine, a frozen dataclass for each."""

from __future__ import annotations

from llamafarm_universal.messages.work.base import Work
from llamafarm_universal.messages.work.encode import Embed
from llamafarm_universal.messages.work.text import ChatPrompt, Count, Generate, Sampling, TextPrompt

__all__ = ["ChatPrompt", "Count", "Embed", "Generate", "Sampling", "TextPrompt", "Work"]
