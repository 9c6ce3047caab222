"""Services: runtimes that LlamaFarm starts, watches and stops by itself."""

from llamafarm.lazy import attach

__getattr__, __dir__, __all__ = attach(__name__, __file__)
