"""The way to a runtime over HTTP: pooled connections, time limits, retries, and what answers and refusals mean."""

from llamafarm.lazy import attach

__getattr__, __dir__, __all__ = attach(__name__, __file__)
