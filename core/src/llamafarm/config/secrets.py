"""What must not be shown: values that came from variables, and texts under keys that say so."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from llamafarm.project import Project

MASK = "********"
MIN_LENGTH = 4
"""Shorter texts are not looked for inside others: masking every `1` would hide more than it protects."""

PUBLIC_KEYS = frozenset(
    {"name", "namespace", "provider", "model", "description", "handler", "default_model", "base_url"}
)
"""Every list of models shows these, so a variable there holds no secret, but for a password in an address."""

_SECRET_KEY = re.compile(
    r"(?:\A|[_-])(?:api[_-]?key|key|token|secret|password|passwd|authorization|credentials?)\Z", re.IGNORECASE
)
_WORD = re.compile(r"[a-z-]{1,12}|[A-Z-]{1,12}")
"""`ollama`, `EMPTY`, `lm-studio`: what stands for a key where none is needed, and is a word of other messages."""
_VARIABLE = re.compile(r"\$\{[A-Za-z_][A-Za-z0-9_]*\}\Z")
_PASSWORD = re.compile(r"(?<=://)([^/@\s:]*):([^/@\s]+)@")


def is_secret_key(key: object) -> bool:
    """Whether the value under such a key is a secret by its name: `api_key`, `hf_token`; not `max_tokens`."""
    return isinstance(key, str) and _SECRET_KEY.search(key) is not None


def masked(project: Project) -> dict[str, Any]:
    """The configuration for showing: secrets are masked, and what came from a variable stands as `${VARIABLE}`."""
    named = {"version": "v1", "name": project.name, "namespace": project.namespace}
    return {**named, **{key: _masked(value, key) for key, value in project.raw.items() if key not in named}}


def mask(text: str, secrets: Iterable[str]) -> str:
    """Return `text` without the secrets in it and without passwords in addresses."""
    for secret in sorted(secrets, key=len, reverse=True):
        if len(secret) >= MIN_LENGTH and not _WORD.fullmatch(secret):
            text = text.replace(secret, MASK)
    return _PASSWORD.sub(rf"\1:{MASK}@", text)


def literal_secrets(value: Any, key: str = "") -> set[str]:
    """The texts under keys that say that they are secret, and passwords in addresses."""
    if isinstance(value, dict):
        return {secret for name, item in value.items() for secret in literal_secrets(item, name)}
    if isinstance(value, list):
        return {secret for item in value for secret in literal_secrets(item, key)}
    if not isinstance(value, str):
        return set()
    return (
        {value} - {""}
        if is_secret_key(key) and not _VARIABLE.match(value)
        else {found[2] for found in _PASSWORD.finditer(value)}
    )


def _masked(value: Any, key: str) -> Any:
    if isinstance(value, dict):
        return {name: _masked(item, name) for name, item in value.items()}
    if isinstance(value, list):
        return [_masked(item, key) for item in value]
    if not isinstance(value, str):
        return value
    if is_secret_key(key) and value and not _VARIABLE.match(value):
        return MASK
    return _PASSWORD.sub(rf"\1:{MASK}@", value)
