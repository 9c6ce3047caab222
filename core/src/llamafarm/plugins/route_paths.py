"""Where plugins may put routes: the form of their paths, those that are the core's own, and which ones clash."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from llamafarm.records import RouteSpec

CORE_PATHS = (
    "audio", "chat", "classify", "completions", "embeddings", "images", "models", "ner", "projects", "rerank", "score",
    "vision",
)  # fmt: skip
"""How the paths of the core's own routes begin, behind /v1."""
METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")
SCOPES = ("public", "use", "admin")
PREFIX_NAMES = ("namespace", "project")
"""The parameters of the path before a route's own."""
_PART = re.compile(r"[A-Za-z0-9][A-Za-z0-9._~-]*|\{[A-Za-z_][A-Za-z0-9_]*(:path)?\}")


def problem(spec: RouteSpec) -> str | None:
    """What is wrong with a route, in words; None where nothing is."""
    return next(_problems(spec), None)


def clash(one: RouteSpec, other: RouteSpec) -> bool:
    """Whether one request could be meant for both."""
    return not set(one.methods).isdisjoint(other.methods) and _meet(one.path, other.path)


def _problems(spec: RouteSpec) -> Iterator[str]:
    if not str(spec.path).startswith("/"):
        yield f"the path of a route is {spec.path!r}; it must begin with a slash, such as '/acme/cows'"
        return
    parts = spec.path[1:].split("/")
    if odd := [part for part in parts if not _PART.fullmatch(part)]:
        yield f"the path {spec.path!r} has the part {odd[0]!r}; parts are words and parameters such as {{name}}"
    if any(part.endswith(":path}") for part in parts[:-1]):
        yield f"the path {spec.path!r} goes on behind a parameter that takes all the rest"
    if parts[0].startswith("{"):
        yield f"the path {spec.path!r} begins with a parameter; begin it with the name of the plugin"
    if parts[0] in CORE_PATHS:
        yield f"the path {spec.path!r} is the core's own, as all that begin with '/{parts[0]}'"
    names = [part.strip("{}").removesuffix(":path") for part in parts if part.startswith("{")]
    if taken := [name for name in names if name in PREFIX_NAMES or names.count(name) > 1]:
        yield f"the path {spec.path!r} has the parameter {taken[0]!r}, which stands before it or twice in it"
    yield from _other_problems(spec)


def _other_problems(spec: Any) -> Iterator[str]:
    methods = spec.methods
    if not isinstance(methods, tuple) or not methods or any(method not in METHODS for method in methods):
        yield f"the methods of the route {spec.path!r} are {methods!r}; a tuple of {', '.join(METHODS)} was expected"
    if spec.scope not in SCOPES:
        yield f"the scope of the route {spec.path!r} is {spec.scope!r}; there is {', '.join(SCOPES)}"
    if not callable(spec.endpoint):
        yield f"the endpoint of the route {spec.path!r} cannot be called"


def _meet(one: str, other: str) -> bool:
    """Whether two paths have an address in common."""
    parts, others = one.split("/"), other.split("/")
    for part, beside in zip(parts, others, strict=False):
        if part.endswith(":path}") or beside.endswith(":path}"):
            return True
        if part != beside and not part.startswith("{") and not beside.startswith("{"):
            return False
    return len(parts) == len(others)
