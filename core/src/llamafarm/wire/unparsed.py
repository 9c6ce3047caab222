"""An answer object that nobody has looked into yet: its bytes can be passed on as they came."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Unparsed:
    """A whole JSON answer, checked as far as it must be to be passed on. content: its bytes."""

    content: bytes = field(repr=False)

    def parsed(self) -> Any:
        """The object that the bytes are."""
        return json.loads(self.content)


def parsed(answer: Any) -> Any:
    """The answer object, also of one that is there as its bytes alone."""
    return answer.parsed() if isinstance(answer, Unparsed) else answer
