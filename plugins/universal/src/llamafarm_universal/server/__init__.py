"""The Universal Runtime's server process: HTTP, queues and limits, and no torch."""
