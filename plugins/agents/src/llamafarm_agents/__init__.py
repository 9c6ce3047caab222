"""LlamaFarm's agent handlers: `structured`, `guard` and `classifier`."""
