"""LlamaFarm's agent handlers: `structured` and `guard`."""
