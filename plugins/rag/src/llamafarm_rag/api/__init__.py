"""The routes of the API: what commands do, over HTTP."""
