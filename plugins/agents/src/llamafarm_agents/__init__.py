"""LlamaFarm's agent handlers: `structured`."""
