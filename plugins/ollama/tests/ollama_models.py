"""The models that the fake Ollama has, and how it tells of them: the rows of tags and ps, and show, as recorded.

Only read: `remote_host` of models of a cloud.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

WHEN = "2026-11-22T14:51:09.582701199Z"
DIGEST = "fc6114c6188bf6e1abee" + "0" * 44


@dataclass(frozen=True)
class FakeModel:
    """can: its capabilities. template: those of them that the weights' own template brings, which the list leaves out.

    rendered: it has a Go template, so that each tool call is a line of its own. remote: it is a cloud's.
    """

    can: tuple[str, ...]
    template: tuple[str, ...] = ()
    family: str = "qwen2"
    context: int = 4096
    width: int = 128
    rendered: bool = False
    remote: bool = False

    @property
    def details(self) -> dict[str, Any]:
        size = {"parameter_size": "670K", "quantization_level": "F16"}
        return {"parent_model": "", "format": "gguf", "family": self.family, "families": [self.family], **size}

    def row(self, name: str) -> dict[str, Any]:
        """Its row in `/api/tags`."""
        capabilities = [one for one in self.can if one not in self.template]
        details = {**self.details, "context_length": self.context, "embedding_length": self.width}
        row = {"name": name, "model": name, "modified_at": WHEN, "size": 1361620, "digest": DIGEST, "details": details}
        remote = {"remote_host": "https://ollama.com:443"} if self.remote else {}
        return {**row, "capabilities": capabilities, **remote}

    def running(self, name: str, length: int) -> dict[str, Any]:
        """Its row in `/api/ps`; a length above its own is cut to that."""
        row = {"name": name, "model": name, "size": 5683280, "digest": DIGEST, "details": self.details}
        return {**row, "expires_at": WHEN, "size_vram": 0, "context_length": min(length, self.context)}

    def shown(self) -> dict[str, Any]:
        """What `/api/show` says, without the long lists of weights and tokens."""
        length = {f"{self.family}.context_length": self.context, f"{self.family}.embedding_length": self.width}
        facts = {"general.architecture": self.family, "general.parameter_count": 669952, **length}
        texts = {"modelfile": "FROM /srv/models/tiny.gguf", "template": "{{ .Prompt }}"}
        return {**texts, "details": self.details, "model_info": facts, "capabilities": [*self.can], "modified_at": WHEN}


_TEMPLATE = ("tools", "thinking")
MODELS: Mapping[str, FakeModel] = {
    "contract:latest": FakeModel(("completion", "tools", "thinking", "insert", "vision", "embedding")),
    "tiny:latest": FakeModel(("completion", "tools", "thinking"), _TEMPLATE),
    "tiny-tools:latest": FakeModel(("completion", "tools"), _TEMPLATE),
    "tiny-go:latest": FakeModel(("completion", "tools", "thinking"), rendered=True),
    "tiny-plain:latest": FakeModel(("completion",)),
    "tiny-bert:latest": FakeModel(("embedding",), family="bert", context=256, width=64),
}
"""`contract` can do everything, which no real one can; the others are those of the recordings."""
