"""An MCP server over stdio with one tool, which the demonstration model knows to call."""

import json

from mcp.server import MCPServer

server = MCPServer("weather")


@server.tool()
def get_weather(city: str) -> str:
    """Get the current weather in a city."""
    return json.dumps({"city": city, "temperature": 21, "sky": "sunny"})


server.run()
