"""LlamaFarm's agent handlers: `structured`, `guard`, `classifier` and `tools`."""
