"""What is wrong with a text that is no YAML: where it began, and what to change."""

from __future__ import annotations

import re

import yaml
from yaml import ScalarToken

from llamafarm.config.problems import Mark

_NO_SPACE = re.compile(r"\s*(?:- +)?([A-Za-z_][\w.-]*):([^\s/].*)")
"""`provider:ollama`, but no address."""
_NO_SPACE_AFTER_DASH = re.compile(r"\s*-[^\s-]")
_TABBED = re.compile(r" *\t")


def explain(error: yaml.YAMLError, text: str) -> tuple[Mark | None, str]:
    """Where to change something, and what; the place is None where the parser knows none."""
    if not isinstance(error, yaml.MarkedYAMLError) or error.problem_mark is None:
        return None, str(getattr(error, "reason", None) or error)
    lines = [*re.split(r"\r\n|\r|\n", text), ""]
    problem, at = error.problem or "", _mark(error.problem_mark)
    began = at if error.context_mark is None else _mark(error.context_mark)
    line = lines[at[0] - 1]
    if tabbed := _TABBED.match(line):
        return (at[0], tabbed.end()), "this line begins with a tab; YAML indents with spaces alone"
    if "expected ':'" in problem:
        return began, _no_colon(lines[began[0] - 1])
    if "mapping values" in problem:
        return _second_colon(lines, at)
    if "end of stream" in problem and "quoted" in (error.context or ""):
        return began, "the quote that begins here is not closed"
    if "expected ','" in problem:
        bracket = lines[began[0] - 1][began[1] - 1 : began[1]]
        return began, f"the `{bracket}` that begins here is not closed, or a comma is missing in line {at[0]}"
    if "cannot start any token" in problem:
        character = line[at[1] - 1 : at[1]]
        return at, f"a text cannot begin with {character!r}; put it in quotes"
    if "expected key" in problem:
        return _no_key(text, at)
    return at, f"{error.context}: {problem}" if error.context else problem


def missing_space(text: str) -> str | None:
    """The key of `key:value`, a text that was meant as a key and its value; else None."""
    found = _NO_SPACE.fullmatch(text)
    return found[1] if found else None


def _no_colon(line: str) -> str:
    if found := _NO_SPACE.fullmatch(line):
        return f"write a space after the colon: `{found[1]}: …`"
    if _NO_SPACE_AFTER_DASH.match(line):
        return "write a space after the dash: `- …`"
    return "this line has no colon; a key is written `key: value`"


def _second_colon(lines: list[str], at: Mark) -> tuple[Mark, str]:
    before = lines[at[0] - 2] if at[0] > 1 else ""
    line = lines[at[0] - 1]
    if _NO_SPACE.fullmatch(before):
        return (at[0] - 1, _indent(before) + 1), _no_colon(before)
    if re.search(r":\s", line[: at[1] - 1]):
        return at, "a second `: ` stands in this line; a text that holds one needs quotes"
    return (at[0], _indent(line) + 1), "this line is indented further than the one before, which has its value already"


def _no_key(text: str, at: Mark) -> tuple[Mark, str]:
    """A quoted text that ends in the line where the parser stopped is most often one that was not closed."""
    for token in reversed(_quoted(text, at)):
        began, ended = _mark(token.start_mark), _mark(token.end_mark)
        if ended[0] == at[0] and began[0] < ended[0]:
            return began, f"the quote that begins here is closed in line {ended[0]} only; was it meant to be before?"
        if ended[0] == at[0]:
            return began, "something follows the closing quote; put the whole text in quotes, or `\\` before inner ones"
    return at, "the indentation of this line fits none of the lines above"


def _quoted(text: str, until: Mark) -> list[ScalarToken]:
    """The quoted texts up to a place."""
    found: list[ScalarToken] = []
    try:
        for token in yaml.scan(text, Loader=yaml.SafeLoader):
            if _mark(token.start_mark) >= until:
                break
            if isinstance(token, ScalarToken) and not token.plain:
                found.append(token)
    except yaml.YAMLError:
        pass
    return found


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip(" "))


def _mark(mark: yaml.Mark) -> Mark:
    return mark.line + 1, mark.column + 1
