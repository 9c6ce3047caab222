"""What a new plugin is called: in llamafarm.yaml, on the package index, and in Python."""

from __future__ import annotations

import re
from dataclasses import dataclass

from llamafarm.errors import UsageError
from llamafarm.handlers.select import SIMPLE
from llamafarm.plugins import catalogue
from llamafarm.plugins.registration import CORE_SECTIONS

PREFIX = "llamafarm-"
LONGEST = 32
"""Characters: generated lines stay within their limit."""
_NAME = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")


@dataclass(frozen=True)
class Names:
    """One plugin's names. name: what llamafarm.yaml says, and the entry point."""

    name: str

    @property
    def distribution(self) -> str:
        """What pip installs."""
        return PREFIX + self.name

    @property
    def package(self) -> str:
        """What Python imports."""
        return self.distribution.replace("-", "_")

    @property
    def stem(self) -> str:
        """What its classes begin with."""
        return "".join(word.capitalize() for word in self.name.split("-"))

    @property
    def variable(self) -> str:
        """What its environment variables begin with."""
        return self.name.replace("-", "_").upper()


def named(text: str) -> Names:
    """The names of a plugin that is to be called `text`; a leading `llamafarm-` makes no difference.

    Raises UsageError for what cannot be a distribution's name, and for a name that LlamaFarm itself uses.
    """
    name = text.removeprefix(PREFIX)
    if not _NAME.fullmatch(name) or len(name) > LONGEST:
        raise UsageError(
            f"{text!r} cannot be the name of a plugin: it is lower case letters, digits and single hyphens, begins "
            f"with a letter, and has at most {LONGEST} characters.",
            hint=_suggestion(name),
        )
    if name in _taken():
        raise UsageError(
            f"{name!r} is the name of a plugin of LlamaFarm itself; a second one would be in conflict with it.",
            hint=f"Choose another, `my-{name}` for instance.",
        )
    return Names(name)


def _taken() -> set[str]:
    official = {*catalogue.names("provider"), *catalogue.names("agent handler"), *catalogue.names("section")}
    return {*official, *CORE_SECTIONS, SIMPLE, "llamafarm"}


def _suggestion(name: str) -> str | None:
    """The nearest name that would do."""
    words = re.findall(r"[a-z0-9]+", re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "-", name).lower())
    near = "-".join(words).lstrip("0123456789-")[:LONGEST].rstrip("-")
    return f"Try {near!r}." if near else None
