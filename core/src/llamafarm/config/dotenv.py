"""The `.env` file beside a configuration: `KEY=value` lines."""

from __future__ import annotations

import re
from pathlib import Path

from llamafarm.config.document import read_text
from llamafarm.config.problems import shown
from llamafarm.errors import ConfigError

DOTENV = ".env"
"""Its name."""
_LINE = re.compile(r"(?:export\s+)?(?P<key>[A-Za-z_][A-Za-z0-9_]*)\s*=\s*(?P<value>.*)\Z")
_SINGLE = re.compile(r"'([^']*)'\s*(?:#.*)?\Z")
_DOUBLE = re.compile(r'"((?:[^"\\]|\\.)*)"\s*(?:#.*)?\Z')
_ESCAPES = {"n": "\n", "r": "\r", "t": "\t"}


def read_dotenv(path: Path) -> dict[str, str]:
    """Return the variables of the file; none where it does not exist. Raises ConfigError for a line that is not one.

    Values may stand in single quotes (as they are) or double quotes (with \\n, \\t and \\" as escapes); a `#` after
    white space begins a comment. Nothing is substituted inside values.
    """
    if not path.is_file():
        return {}
    found: dict[str, str] = {}
    for number, line in enumerate(read_text(path).splitlines(), start=1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        match = _LINE.match(line.strip())
        value = _value(match["value"]) if match else None
        if match is None or value is None:
            # The line itself is not shown: it may hold a secret.
            raise ConfigError(f"{shown(path)}:{number}: this is not a `KEY=value` line, or a quote is not closed.")
        found[match["key"]] = value
    return found


def _value(text: str) -> str | None:
    if text.startswith("'"):
        match = _SINGLE.match(text)
        return match[1] if match else None
    if text.startswith('"'):
        match = _DOUBLE.match(text)
        return re.sub(r"\\(.)", lambda found: _ESCAPES.get(found[1], found[1]), match[1]) if match else None
    return re.split(r"(?:^|\s)#", text, maxsplit=1)[0].strip()
