"""What an answer is made of: text, reasoning and tool calls, told apart while it is generated."""

from __future__ import annotations

from llamafarm_universal.host.engines.text.parse.formats import PLAIN, Format, format_of
from llamafarm_universal.host.engines.text.parse.parser import Parser
from llamafarm_universal.host.engines.text.parse.part import Part
from llamafarm_universal.host.engines.text.parse.response_template import ResponseTemplate

__all__ = ["PLAIN", "Format", "Parser", "Part", "ResponseTemplate", "format_of"]
