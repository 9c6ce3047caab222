"""For the tests of engines: the contract that an engine's author subclasses. It needs `llamafarm-kit`, and no torch."""

from llamafarm_universal.testing.engine_contract import EngineContract

__all__ = ["EngineContract"]
