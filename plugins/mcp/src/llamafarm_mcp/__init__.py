"""Tools of MCP servers (modelcontextprotocol.io), for the models of a project."""
