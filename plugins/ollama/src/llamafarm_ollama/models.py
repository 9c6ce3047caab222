"""What Ollama tells of its models, in LlamaFarm's words.

Source: Ollama's API (0.33), `/api/tags`, `/api/show` and `/api/ps`. Only `/api/show` knows all capabilities: the list
leaves out `tools` and `thinking` where the template of the weights brings them. Only read: that models of a cloud say
`remote_host`, and that the names of the library are shown without its address.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from llamafarm import ModelInfo

_FEATURES: Mapping[str, tuple[str, ...]] = {
    "completion": ("chat", "completions"),
    "embedding": ("embeddings",),
    "thinking": ("reasoning",),
}
_LIBRARY = ("registry.ollama.ai/", "library/")
Item = Mapping[str, Any]


def info(name: str, listed: Item | None, shown: Item | None, running: Item | None) -> ModelInfo:
    """What is known of a model: its row in the list, what `/api/show` says, and its row in `/api/ps`.

    That one is empty where it is not loaded, and None where the server does not tell. The context length is the one
    that is allocated where it is loaded, else the most that the model can take.
    """
    length = running.get("context_length") if running else _longest(shown)
    remote = any((item or {}).get("remote_host") for item in (listed, shown))
    return ModelInfo(
        id=name,
        features=_features(shown),
        context_length=_whole(length),
        size_bytes=_whole((listed or {}).get("size")),
        loaded=None if running is None else bool(running),
        memory_bytes=_whole((running or {}).get("size")),
        downloaded=None if remote else True,
        structured=None if remote else "json_schema",
        details=_details(listed, shown, running),
    )


def by_name(body: Mapping[str, Any]) -> dict[str, Item]:
    """The rows of a list of models by their whole names."""
    rows = body.get("models")
    found = rows if isinstance(rows, list) else []
    return {str(row.get("model") or row.get("name")): row for row in found if isinstance(row, dict)}


def whole_name(model: str) -> str:
    """The name as lists have it: with its tag, `latest` where it says none, and without the library's address."""
    for address in _LIBRARY:
        model = model.removeprefix(address)
    return model if ":" in model.rpartition("/")[2] else f"{model}:latest"


def _whole(value: Any) -> int | None:
    return value if isinstance(value, int) else None


def _features(shown: Item | None) -> frozenset[str] | None:
    said = (shown or {}).get("capabilities")
    if not isinstance(said, list):
        return None
    return frozenset(name for one in said for name in _FEATURES.get(str(one), (str(one),)))


def _longest(shown: Item | None) -> Any:
    facts = (shown or {}).get("model_info")
    if not isinstance(facts, dict):
        return None
    return facts.get(f"{facts.get('general.architecture')}.context_length")


def _details(listed: Item | None, shown: Item | None, running: Item | None) -> dict[str, Any]:
    """For people to read: family, parameters, quantisation, the most context; where it is loaded, its part on the GPU
    in bytes, and until when."""
    found = {**((shown or {}).get("details") or {}), **((listed or {}).get("details") or {})}
    found["context_length"] = _longest(shown)
    found |= {name: (listed or {}).get(name) for name in ("digest", "modified_at")}
    if running:
        found |= {"vram_bytes": running.get("size_vram"), "expires_at": running.get("expires_at")}
    return {name: value for name, value in found.items() if value not in (None, "", [])}
