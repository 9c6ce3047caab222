"""Which mode a turn is asked in."""

from __future__ import annotations

from llamafarm import InstructorMode, ModelInfo, Turn
from llamafarm.errors import RequestError

from llamafarm_agents.model_info import model_info
from llamafarm_agents.structured.modes import JsonMode, JsonSchemaMode, MdJsonMode, Mode
from llamafarm_agents.structured.schema import Schema
from llamafarm_agents.structured.tool_modes import ParallelToolsMode, ToolsMode, ToolsStrictMode, item_kinds

MODES: dict[InstructorMode, Mode] = {
    mode.name: mode
    for mode in (JsonSchemaMode(), JsonMode(), MdJsonMode(), ToolsMode(), ToolsStrictMode(), ParallelToolsMode())
}


async def choose(turn: Turn, schema: Schema) -> tuple[Mode, bool]:
    """The mode, and whether the runtime itself holds answers to the schema in it.

    `instructor_mode` of the entry, else what the runtime is known to hold best, else tools where the model has them,
    else the prompt alone. A mode that needs tools gives way where the model has none, or the client brings its own.
    Raises RequestError for `parallel_tools` with a schema that is no list of objects.
    """
    info = await model_info(turn)
    without = _without_tools(info)
    wanted = turn.entry.instructor_mode or info.structured or ("tools" if _has_tools(info) else "md_json")
    mode = MODES[wanted]
    if mode.by_tools and (reason := _no_tools(turn, info)):
        turn.note("structured", mode=without, instead_of=wanted, because=reason)
        mode = MODES[without]
    if isinstance(mode, ParallelToolsMode) and not item_kinds(schema):
        raise RequestError(
            "`instructor_mode: parallel_tools` takes the schema of a list of objects: `type: array`, and `items`.",
            hint=f"The model entry {turn.entry.name!r} sets it; `tools` takes any schema.",
            param="response_format",
        )
    return mode, mode.name == info.structured == "json_schema"


def _has_tools(info: ModelInfo) -> bool:
    return info.features is not None and "tools" in info.features


def _without_tools(info: ModelInfo) -> InstructorMode:
    return "json_schema" if info.structured == "json_schema" else "md_json"


def _no_tools(turn: Turn, info: ModelInfo) -> str:
    """Why no tool of ours can be called."""
    if turn.request.get("tools"):
        return "the request has tools of its own"
    return "" if info.features is None or _has_tools(info) else "the model calls no tools"
