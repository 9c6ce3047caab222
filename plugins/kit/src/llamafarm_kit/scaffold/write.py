"""Writes a new plugin: the templates, filled in, as files of a new folder.

A template is plain text. `$name` and its like are filled in (see `_values`); `PACKAGE` in a path is the package. A line
`%% TAG` says whom the lines below it are for: `provider`, `handler`, `both`, `provider alone`, `handler alone`, or
`always`, as every template begins. A folder of templates is for all plugins (`always`), or for those with one part.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path
from string import Template
from typing import Literal

from llamafarm.errors import UsageError
from llamafarm.version import VERSION

from llamafarm_kit.scaffold.names import Names

Part = Literal["provider", "handler"]

MARK = "%% "
SUFFIX = ".tmpl"
_WORDS: Mapping[Part, str] = {"provider": "provider", "handler": "agent handler"}


def write_plugin(names: Names, parts: Collection[Part], folder: Path) -> list[Path]:
    """Write the distribution of a plugin with these parts into `folder`, and return its files.

    Raises UsageError where the folder holds something: nothing is ever overwritten.
    """
    _check_empty(folder)
    written = []
    for path, text in plugin_files(names, parts).items():
        target = folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        with target.open("x", encoding="utf-8", newline="\n") as file:
            file.write(text)
        written.append(target)
    return written


def plugin_files(names: Names, parts: Collection[Part]) -> dict[str, str]:
    """The texts of all files, by their path in the distribution."""
    tags = {"always", *parts, "both" if len(parts) > 1 else f"{next(iter(parts))} alone"}
    values = _values(names, parts)
    templates = files(__package__) / "templates"
    found = {path: text for tag in ("always", *parts) for path, text in _templates(templates / tag)}
    return {
        path.replace("PACKAGE", names.package): filled_in(text, tags, values) for path, text in sorted(found.items())
    }


def filled_in(template: str, tags: Collection[str], values: Mapping[str, str]) -> str:
    """The text of a template: the lines for these tags, with the values in their places."""
    wanted = True
    lines = []
    for line in template.splitlines(keepends=True):
        if line.startswith(MARK):
            wanted = line.removeprefix(MARK).strip() in tags
        elif wanted:
            lines.append(line)
    return Template("".join(lines)).substitute(values)


def _values(names: Names, parts: Collection[Part]) -> dict[str, str]:
    return {
        "name": names.name,
        "distribution": names.distribution,
        "package": names.package,
        "Name": names.stem,
        "NAME": names.variable,
        "what": " and ".join(_WORDS[part] for part in _WORDS if part in parts),
        "version": VERSION,
    }


def _templates(folder: Traversable, under: str = "") -> Iterator[tuple[str, str]]:
    """The templates of a folder, each with the path of its file."""
    for item in folder.iterdir():
        path = f"{under}{item.name}"
        if item.is_dir():
            yield from _templates(item, f"{path}/")
        elif path.endswith(SUFFIX):
            yield path.removesuffix(SUFFIX), item.read_text(encoding="utf-8")


def _check_empty(folder: Path) -> None:
    if folder.exists() and not folder.is_dir():
        raise UsageError(f"{folder} is a file; nothing was written.", hint="`--path DIR` names a folder.")
    found = sorted(path.name for path in folder.iterdir()) if folder.exists() else []
    if found:
        more = ", …" if len(found) > 3 else ""
        raise UsageError(
            f"{folder} is not empty (it holds {', '.join(found[:3])}{more}); nothing was written.",
            hint="`--path DIR` names another folder; or move away what is in this one.",
        )
