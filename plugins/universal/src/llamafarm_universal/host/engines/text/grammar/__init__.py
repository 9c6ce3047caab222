"""Answers that keep to a format: JSON of a schema, a regex, a choice, a grammar, or calls of the tools on offer."""

from __future__ import annotations

from llamafarm_universal.host.engines.text.grammar.constraint import Constraint
from llamafarm_universal.host.engines.text.grammar.model import Hold, ModelGrammars
from llamafarm_universal.host.engines.text.grammar.tools import shape_for

__all__ = ["Constraint", "Hold", "ModelGrammars", "shape_for"]
