"""For the tests of stores: the contract that the author of one subclasses."""

from llamafarm_rag.testing.store_contract import StoreContract

__all__ = ["StoreContract"]
