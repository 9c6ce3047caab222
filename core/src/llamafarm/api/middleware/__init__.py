"""What every request passes before its route, the outermost first: request id, host and origin, CORS, API key."""
