"""YAML or JSON text → plain data, with the place of every key and item.

Scalars are read by the rules of YAML 1.2, where `no` is a text and `1e-5` a number. Refused: duplicate keys, aliases
that contain themselves or expand without measure, tags of other programs, numbers that JSON does not have.
"""

from __future__ import annotations

import json
import math
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml
from yaml import MappingNode, Node, ScalarNode, SequenceNode

from llamafarm.config import syntax
from llamafarm.config.problems import KeyPath, Mark, Place, Problems, shown
from llamafarm.errors import ConfigError

MAX_BYTES = 1024 * 1024
MAX_DEPTH = 100
MAX_NODES = 100_000
"""Keys, items and values of one file, each alias counted as what it stands for."""

_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_TAG = "tag:yaml.org,2002:"
_SCALAR_TAGS = {_TAG + name for name in ("str", "int", "float", "bool", "null", "timestamp", "value", "merge")}
_TAGS = {ScalarNode: _SCALAR_TAGS, SequenceNode: {_TAG + "seq"}, MappingNode: {_TAG + "map"}}
_NULL = {"", "~", "null", "Null", "NULL"}
_BOOL = {"true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False}
_INT = re.compile(r"[-+]?[0-9]{1,40}\Z")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]{1,3})?\Z")
_ESCAPES = re.compile(
    r"\\u[dD](?P<high>[89abAB][0-9a-fA-F]{2})\\u[dD](?P<low>[c-fC-F][0-9a-fA-F]{2})|\\.|\t"
    r"|(?P<raw>[^\n\r\x20-\x7e\xa0-\u2027\u202a-\ud7ff\ue000-\ufefe\uff00-\ufffd\U00010000-\U0010ffff])"
)
"""What JSON writes otherwise than YAML: pairs of surrogates, tabs, and characters that YAML reads as something else."""
_NOT_FINITE = re.compile(r"([-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN))\Z")


@dataclass
class Document:
    """data: dicts with text keys, lists, texts, numbers, booleans and None. places: of each key and item of it."""

    path: Path
    data: Any
    places: dict[KeyPath, Place] = field(default_factory=dict)


def read(path: Path) -> Document:
    """Read a configuration file whose top level is a mapping. Raises ConfigError."""
    text = read_text(path)
    if path.suffix == ".json" and text.strip():
        text = _from_json(path, text)
    document = Document(path, None)
    node = _composed(path, text)
    if node is not None:
        document.data = _Reader(document).value(node, ())
    if document.data is None:
        raise ConfigError(f"{shown(path)} is empty.", hint="`lf init` in another folder writes one to begin with.")
    if not isinstance(document.data, dict):
        raise ConfigError(
            f"{shown(path)}:1:1: the file must be a mapping, `key: value` lines, not {kind(document.data)}."
        )
    return document


def read_text(path: Path, *, errors: str = "strict") -> str:
    """The text of a small UTF-8 file. Raises ConfigError where it is missing, too large or not UTF-8.

    errors: what becomes of bytes that are not UTF-8, as for `bytes.decode`.
    """
    try:
        with path.open("rb") as file:
            content = file.read(MAX_BYTES + 1)
    except FileNotFoundError:
        raise ConfigError(f"{shown(path)} does not exist.", hint="`lf init` writes a llamafarm.yaml.") from None
    except OSError as error:
        raise ConfigError(f"{shown(path)} cannot be read: {error.strerror or error}.") from None
    if len(content) > MAX_BYTES:
        raise ConfigError(f"{shown(path)} is larger than {MAX_BYTES // 1024} KiB; a configuration is not.")
    try:
        return content.decode("utf-8-sig", errors)
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        message = f"{shown(path)}:{line}: byte {error.start} is not UTF-8 (0x{content[error.start]:02x})."
        raise ConfigError(message, hint="Save the file as UTF-8.") from None


def resolve(text: str) -> Any:
    """What an unquoted scalar stands for: null, a boolean, a number or its text. ValueError for .inf and .nan."""
    if text in _NULL:
        return None
    if text in _BOOL:
        return _BOOL[text]
    if _INT.match(text):
        return int(text)
    number = float(text) if _FLOAT.match(text) else None
    if _NOT_FINITE.match(text) or number in (math.inf, -math.inf):
        raise ValueError(f"{text} is not a number that JSON has")
    return text if number is None else number


def resolve_or_keep(text: str) -> Any:
    """What `resolve` says, or the text itself where that is nothing."""
    try:
        return resolve(text)
    except ValueError:
        return text


def kind(value: Any) -> str:
    """What a value is, in words; of a text that was meant as a key and its value, what is missing."""
    if isinstance(value, str) and (key := syntax.missing_space(value)):
        return f"text; write a space after the colon: `{key}: …`"
    names = {dict: "a mapping", list: "a list", str: "text", bool: "true or false", type(None): "null"}
    return names.get(type(value), "a number")


def _composed(path: Path, text: str) -> Node | None:
    try:
        _check_depth(text)
        node: Node | None = yaml.compose(text, Loader=_LOADER)
        return node
    except yaml.YAMLError as error:
        mark, message = syntax.explain(error, text)
        place = f":{mark[0]}:{mark[1]}" if mark else ""
        raise ConfigError(f"{shown(path)}{place}: this is not YAML: {message}.") from None


def _from_json(path: Path, text: str) -> str:
    """The same document as YAML, which holds JSON but for some characters. Raises ConfigError for what is not JSON."""
    try:
        json.loads(text, parse_constant=_refuse_constant)
    except json.JSONDecodeError as error:
        raise ConfigError(f"{shown(path)}:{error.lineno}:{error.colno}: this is not JSON: {error.msg}.") from None
    except ValueError as error:
        raise ConfigError(f"{shown(path)}: this JSON cannot be used: {error}.") from None
    except RecursionError:
        raise ConfigError(f"{shown(path)}: this JSON is nested too deeply.") from None
    return _ESCAPES.sub(_yaml_escape, text)


def _yaml_escape(found: re.Match[str]) -> str:
    if found["high"]:
        return f"\\U{0x10000 + ((int(found['high'], 16) - 0x800) << 10) + int(found['low'], 16) - 0xC00:08x}"
    if found["raw"]:
        return f"\\u{ord(found['raw']):04x}"
    return " " if found[0] == "\t" else found[0]


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is not a number that JSON has")


def _check_depth(text: str) -> None:
    """Refuse deep nesting before anything recurses over it."""
    depth = 0
    for event in yaml.parse(text, Loader=_LOADER):
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if depth > MAX_DEPTH:
            mark: Any = event.start_mark
            raise yaml.MarkedYAMLError(problem=f"this is nested more than {MAX_DEPTH} levels deep", problem_mark=mark)


class _Reader:
    """Turns nodes into data and notes where everything stands."""

    def __init__(self, document: Document) -> None:
        self._document = document
        self._problems = Problems(document.path, document.places)
        self._open: set[int] = set()
        self._count = 0

    def value(self, node: Node, path: KeyPath) -> Any:
        """The node as Python sees it, all below it included. Raises ConfigError for what the file may not hold."""
        self._count += 1
        self._document.places.setdefault(path, Place(_mark(node), path))
        if self._count > MAX_NODES:
            raise self._error(path, f"with its aliases the file holds more than {MAX_NODES} values")
        if node.tag not in _TAGS[type(node)]:
            raise self._error(path, f"the tag {node.tag.replace(_TAG, '!!')} is not known here; leave it out")
        if isinstance(node, ScalarNode):
            return self._scalar(node, path)
        if id(node) in self._open:
            raise self._error(path, "an alias (*) stands inside the anchor (&) that it refers to")
        self._open.add(id(node))
        if isinstance(node, SequenceNode):
            value: Any = [self.value(item, (*path, number)) for number, item in enumerate(node.value)]
        else:
            value = self._mapping(node, path)
        self._open.discard(id(node))
        return value

    def _scalar(self, node: ScalarNode, path: KeyPath) -> Any:
        if node.style in ("'", '"', "|", ">") and node.tag == _TAG + "str":
            return node.value
        self._document.places[path] = self._document.places[path]._replace(unquoted=True)
        try:
            return resolve(node.value)
        except ValueError as error:
            raise self._error(path, str(error)) from None

    def _mapping(self, node: Node, path: KeyPath) -> dict[str, Any]:
        found: dict[str, Any] = {}
        merges = []
        for key, value in node.value:
            if key.tag == _TAG + "merge":
                merges.append((key, value))
                continue
            name = self._key(key, path)
            if name in found:
                line, _ = self._document.places[*path, name].mark
                message = f"the key {name!r} stands here and in line {line}; one would hide the other"
                raise self._error(path, message, key)
            self._document.places[*path, name] = Place(_mark(key), (*path, name))
            found[name] = self.value(value, (*path, name))
        for key, value in merges:
            self._merge(found, value, path, key)
        return found

    def _key(self, key: Node, path: KeyPath) -> str:
        if not isinstance(key, ScalarNode) or key.tag not in _SCALAR_TAGS:
            raise self._error(path, "a key must be a text", key)
        return str(key.value)

    def _merge(self, found: dict[str, Any], value: Node, path: KeyPath, key: Node) -> None:
        """`<<: *defaults`: the keys of the other mapping, where this one does not have them."""
        for one in value.value if isinstance(value, SequenceNode) else [value]:
            if not isinstance(one, MappingNode):
                raise self._error(path, "`<<` takes a mapping, or a list of them", key)
            kept = dict(self._document.places)
            for name, merged in self.value(one, path).items():
                found.setdefault(name, merged)
            self._document.places.update(kept)

    def _error(self, path: KeyPath, message: str, node: Node | None = None) -> ConfigError:
        if node is not None:
            line, column = _mark(node)
            return ConfigError(f"{shown(self._document.path)}:{line}:{column}: {message}.")
        return ConfigError(self._problems.located(path, f"{message}."))


def _mark(node: Node) -> Mark:
    return node.start_mark.line + 1, node.start_mark.column + 1
