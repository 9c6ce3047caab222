"""The provider `openai`: any server that speaks the OpenAI wire.

Published for providers whose runtime speaks it too: `OpenAIProvider`, to be extended. All else is private.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from llamafarm_openai_compat.provider import OpenAIProvider

__all__ = ["OpenAIProvider"]


def __getattr__(name: str) -> Any:
    """Import the client when it is first asked for: a plugin's module must cost nothing."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from llamafarm_openai_compat.provider import OpenAIProvider

    return OpenAIProvider
