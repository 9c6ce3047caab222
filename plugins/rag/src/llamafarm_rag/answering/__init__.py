"""The agent handler `rag`: answers from what was retrieved."""
