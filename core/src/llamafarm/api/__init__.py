"""The HTTP API: OpenAI's routes for every project, and what a server needs around them."""
