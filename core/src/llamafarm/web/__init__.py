"""What every HTTP server of LlamaFarm needs: strict bodies, errors, event streams, who may ask, and a clean end.

The API is built from it, and so may be the server of a runtime. It knows neither projects nor providers.
"""

from llamafarm.lazy import attach

__getattr__, __dir__, __all__ = attach(__name__, __file__)
