"""The text engine: sequence, sampling, stop texts, detokenizing, scheduler, and the engine that ties them together."""

from __future__ import annotations

from llamafarm_universal.host.engines.text.engine import TextEngine

__all__ = ["TextEngine"]
