"""What llamafarm.yaml says of the handler: `handlers: {tools: …}`, or `handler_options` of an entry."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field

from llamafarm_agents.structured.schema import JsonSchema

OTHERS = "*"
"""In `sources`, the sources that it does not name."""


def _flat(tool: Any) -> Any:
    """A tool as the wire has it, `{type, function: {…}}`, in the form of the configuration."""
    nested = tool.get("function") if isinstance(tool, Mapping) else None
    return {**{key: tool[key] for key in tool if key != "function"}, **nested} if isinstance(nested, Mapping) else tool


def _schema(definition: dict[str, Any]) -> dict[str, Any]:
    """The JSON Schema of an object. Raises ValueError."""
    JsonSchema("parameters", definition)
    if definition.get("type", "object") != "object":
        raise ValueError("the arguments of a function are an object: write `type: object`")
    return {"type": "object", **definition}


def _unlike(tools: list[FunctionTool]) -> list[FunctionTool]:
    names = [tool.name for tool in tools]
    if twice := next((name for name in names if names.count(name) > 1), None):
        raise ValueError(f"two functions are called {twice!r}")
    return tools


class FunctionTool(BaseModel):
    """A function of the client's, which executes it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    type: Literal["function"] = "function"
    name: str = Field(pattern=r"^[a-zA-Z0-9_-]{1,64}$")
    description: str | None = Field(default=None, description="When and for what a model should call it.")
    parameters: Annotated[dict[str, Any], AfterValidator(_schema)] | None = Field(
        default=None, description="The JSON Schema of its arguments, an object; none where it takes none."
    )
    strict: bool | None = Field(default=None, description="Whether a runtime must hold calls to `parameters`.")

    def definition(self) -> dict[str, Any]:
        """It as a request has it."""
        return {"type": "function", "function": self.model_dump(exclude={"type"}, exclude_none=True)}


class ToolsOptions(BaseModel):
    """Which functions a model may call, and within which bounds."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    tools: Annotated[list[Annotated[FunctionTool, BeforeValidator(_flat)]], AfterValidator(_unlike)] = Field(
        default_factory=list, description="Functions that the client executes, beside those of its requests."
    )
    tools_mode: Literal["config_only", "api_replace", "api_supplement"] = Field(
        default="api_supplement",
        description="Whether a request's functions are left out, replace those of the configuration, or join them.",
    )
    tool_call_strategy: Literal["native_api", "prompt_based"] = Field(
        default="native_api",
        description="Whether the model is told of functions by the API, or in its prompt: for models without tools.",
    )
    sources: dict[str, list[str]] | None = Field(
        default=None,
        description="Tool sources whose tools may be called, each with patterns of names; `*` is every other source. "
        "None: all of the project; empty: none.",
        examples=[{"files": ["read_*", "list"]}],
    )
    max_rounds: int = Field(default=8, ge=2, le=100, description="How often the model is asked in one turn.")
    max_tools: int = Field(default=128, ge=1, le=1024, description="Functions that a model is told of, all together.")
    max_result: int = Field(default=20_000, ge=100, description="Characters of a result; the rest is left out.")
    call_timeout: float = Field(default=30.0, gt=0, description="Seconds that one call may take.")
    total_timeout: float = Field(default=120.0, gt=0, description="Seconds that all calls of a turn may take.")
