"""What must not be shown: values that came from variables, and texts under keys that say so."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from llamafarm.errors import LlamaFarmError
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
    shown: dict[str, Any] = hide(project.raw, set())
    return named | shown | named


def mask(text: str, secrets: Iterable[str]) -> str:
    """Return `text` without the secrets in it and without passwords in addresses."""
    for secret in sorted(secrets, key=len, reverse=True):
        if len(secret) >= MIN_LENGTH and not _WORD.fullmatch(secret):
            text = text.replace(secret, MASK)
    return _PASSWORD.sub(rf"\1:{MASK}@", text)


def mask_error(error: LlamaFarmError, secrets: Iterable[str]) -> LlamaFarmError:
    """The same error without a secret in it."""
    error.message = mask(error.message, secrets)
    error.hint = mask(error.hint, secrets) if error.hint else None
    error.args = (error.message,)
    return error


def hide(value: Any, secrets: set[str], key: str = "") -> Any:
    """The value without texts under keys that say that they are secret and passwords in addresses.

    key: what the value stands under. secrets: where each of them is added.
    """
    if isinstance(value, dict):
        return {name: hide(item, secrets, name) for name, item in value.items()}
    if isinstance(value, list):
        return [hide(item, secrets, key) for item in value]
    if not isinstance(value, str):
        return value
    if is_secret_key(key) and value and not _VARIABLE.match(value):
        secrets.add(value)
        return MASK
    secrets.update(password for _, password in _PASSWORD.findall(value))
    return _PASSWORD.sub(rf"\1:{MASK}@", value)
