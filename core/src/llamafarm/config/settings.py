"""The core's own part of llamafarm.yaml, as pydantic models; everything else comes from plugins."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from llamafarm.providers.entry import Variables

NAME_PATTERN = r"^[A-Za-z0-9][A-Za-z0-9._-]*$"

Name = Annotated[str, Field(pattern=NAME_PATTERN, max_length=100)]
Handler = str | list[str]


def _named(value: Any) -> Any:
    if not isinstance(value, list):
        raise ValueError("must be a list, or a mapping from names")
    return value


Named = BeforeValidator(_named)
"""For lists that users may write as mappings, which `normalize` has made lists of."""


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class PluginSettings(_Strict):
    """Which plugins this project does without."""

    disabled: list[str] = Field(default_factory=list, description="Names of plugins or distributions: never imported.")


class Prompt(_Strict):
    """One message of a prompt set."""

    role: Literal["system", "developer", "user", "assistant", "tool"]
    content: str
    tool_call_id: str | None = None


class Prompts(_Strict):
    """Messages that are put before a conversation."""

    name: Name
    messages: list[Prompt]


class Runtime(_Strict):
    """The models; what is in an entry is its provider's to check."""

    models: Annotated[list[dict[str, Any]], Named] | None = None
    default_model: str | None = Field(
        default=None, description="The model of a request that names none; else the first."
    )


class Settings(_Strict):
    """The top level of llamafarm.yaml in the one form (see `normalize`), without what plugins add."""

    version: Literal["v1"] = Field(default="v1", description="Version of the format.")
    name: Name | None = Field(default=None, description="The project's name; by default its folder's.")
    namespace: Name | None = Field(
        default=None, description="The project is addressed as namespace/name; `default` where it is left out."
    )
    handler: Handler | None = Field(
        default=None, description="Agent handler, or a chain of them, of every model that names none."
    )
    plugins: PluginSettings = Field(default_factory=PluginSettings)
    runtime: Runtime | None = None
    prompts: Annotated[list[Prompts], Named] | None = None
    variables: Variables = Field(
        default_factory=dict,
        description="Values of {{variables}} in prompt sets, where no request or entry gives them.",
    )
    handlers: dict[str, Any] | None = None
