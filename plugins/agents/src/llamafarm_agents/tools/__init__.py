"""The agent handler `tools`: functions that models call, the client's and the project's."""
