"""The OpenAI wire as typed dictionaries over plain JSON: absent and null stay different, unknown fields survive."""

from llamafarm.lazy import attach

__getattr__, __dir__, __all__ = attach(__name__, __file__)
