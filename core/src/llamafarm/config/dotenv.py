"""The `.env` file beside a configuration: `KEY=value` lines, as python-dotenv reads them.

Nothing is filled in inside its values: `${OTHER}` stays as it is. Lines that are of no use here, such as a key over
several lines for another program, are passed over; one that belongs to a variable that is used is told.
"""

from __future__ import annotations

import io
import re
from dataclasses import dataclass, field
from pathlib import Path

from llamafarm.config.document import read_text

DOTENV = ".env"
"""Its name."""
_NAME = re.compile(r"^[^\S\n]*(?:export\s+)?([A-Za-z_][A-Za-z0-9_]*)\s*=", re.MULTILINE)


@dataclass(frozen=True)
class Dotenv:
    """values: the variables. unreadable: the line of each variable whose value cannot be read, counted from 1."""

    values: dict[str, str] = field(default_factory=dict)
    unreadable: dict[str, int] = field(default_factory=dict)


def read_dotenv(path: Path) -> Dotenv:
    """Read the file; it has no variables where it does not exist. Raises ConfigError where it cannot be opened."""
    found = Dotenv()
    if not path.is_file():
        return found
    from dotenv.parser import parse_stream  # most projects have no such file

    for binding in parse_stream(io.StringIO(read_text(path, errors="surrogateescape"))):
        if binding.error:
            found.unreadable.update(dict.fromkeys(_NAME.findall(binding.original.string), binding.original.line))
        elif binding.key is not None and binding.value is not None:
            found.values[binding.key] = binding.value
    return found
