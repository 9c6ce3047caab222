"""The agent handler `structured`: answers that fit a schema."""
