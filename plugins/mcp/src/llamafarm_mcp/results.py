"""The results of MCP tools as text that a model can read."""

from __future__ import annotations

import json
from typing import Any

import mcp_types as types
from llamafarm import ToolResult


def tool_result(result: types.CallToolResult) -> ToolResult:
    """All that a call gave. Pictures and sounds are named, since a tool message holds text alone."""
    texts = [_text(block) for block in result.content]
    if not texts and result.structured_content is not None:
        texts = [json.dumps(result.structured_content, ensure_ascii=False)]
    return ToolResult("\n".join(texts), is_error=result.is_error)


def _text(block: Any) -> str:
    if isinstance(block, types.TextContent):
        return block.text
    if isinstance(block, types.ImageContent | types.AudioContent):
        return f"[{block.mime_type}, {len(block.data) * 3 // 4} bytes, not shown]"
    if isinstance(block, types.ResourceLink):
        return " ".join(filter(None, [block.name, block.uri, block.description]))
    if isinstance(block, types.EmbeddedResource) and isinstance(block.resource, types.TextResourceContents):
        return block.resource.text
    if isinstance(block, types.EmbeddedResource):
        return f"[{block.resource.uri}, {block.resource.mime_type or 'bytes'}, not shown]"
    return f"[{getattr(block, 'type', 'something')}, not shown]"
