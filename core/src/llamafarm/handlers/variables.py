r"""Variables in the prompt sets of llamafarm.yaml: `{{name}}`, `{{name | default text}}`; `\{{` stands for `{{`.

Values are put in as they are: nothing in them is looked for again, and nothing is computed. What is not of this form
stays as it is written.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping

from llamafarm.errors import RequestError
from llamafarm.providers.entry import Scalar

_VARIABLE = re.compile(
    r"\\(?P<escaped>\{\{)"
    r"|\{\{\s*(?P<name>[A-Za-z_][A-Za-z0-9_]*)\s*(?:\|(?P<default>(?:(?!\{\{|\}\}).)*))?\}\}",
    re.DOTALL,
)


def variables_in(text: str) -> Iterator[tuple[str, str | None]]:
    """The name of each variable in the text, and its default; None where it has none."""
    for found in _VARIABLE.finditer(text):
        if not found["escaped"]:
            yield found["name"], None if found["default"] is None else found["default"].strip()


def filled(text: str, values: Mapping[str, Scalar]) -> str:
    """The text with its variables filled in. Raises KeyError for one that has neither value nor default."""

    def replacement(found: re.Match[str]) -> str:
        if found["escaped"]:
            return "{{"
        if found["default"] is not None and found["name"] not in values:
            return str(found["default"]).strip()
        value = values[found["name"]]
        return value if isinstance(value, str) else json.dumps(value)

    return _VARIABLE.sub(replacement, text)


def missing_variable(name: str, prompt_set: str) -> RequestError:
    """The error for a variable that nobody gives."""
    return RequestError(
        f"The prompt set {prompt_set!r} needs the variable {name!r}, and nobody gives it.",
        hint=f'A request gives it in its field `variables`: {{"{name}": …}} (`lf chat --var {name}=…`); llamafarm.yaml '
        f"gives it under `variables` of the model entry or of the project, or as a default: {{{{{name} | …}}}}.",
        code="missing_variable",
        param="variables",
    )
