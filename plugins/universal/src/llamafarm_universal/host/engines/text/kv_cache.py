"""The blocks of a model's KV cache: who holds which, and which beginnings of texts they have. Knows no tensors.

A block holds the keys and values of BLOCK_TOKENS tokens that follow one another. A full one may be shared by all texts
that begin with the same tokens, for the same tenant: else the time that an answer takes would tell what others asked.
It is known by a hash over everything that stands before its end, and its tokens are compared besides. When nobody uses
it any more it stays, until its room is needed.
"""

from __future__ import annotations

from array import array
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, field
from hashlib import blake2b

BLOCK_TOKENS = 16


def blocks_for(tokens: int) -> int:
    """How many blocks so many tokens need."""
    return -(-tokens // BLOCK_TOKENS)


@dataclass(eq=False)
class BlockTable:
    """The blocks of one text, in order. known: the hashes of the full ones that others may share."""

    salt: str
    blocks: list[int] = field(default_factory=list)
    known: list[bytes] = field(default_factory=list)


@dataclass(frozen=True)
class _Content:
    """What a block holds: the hash of what stands before it, and its own tokens."""

    before: bytes
    tokens: tuple[int, ...]


class KVCache:
    """capacity: how many blocks there are. shares: whether texts may share them."""

    def __init__(self, capacity: int, *, shares: bool = True) -> None:
        self.capacity = capacity
        self._shares = shares
        self._untouched = 0  # the first of those that nobody has had yet
        self._empty: OrderedDict[int, None] = OrderedDict()
        self._unused: OrderedDict[int, None] = OrderedDict()  # full and known, the longest unused first
        self._users: dict[int, int] = {}
        self._by_hash: dict[bytes, int] = {}
        self._hashes: dict[int, tuple[bytes, _Content]] = {}

    @property
    def free(self) -> int:
        """How many blocks nobody uses."""
        return self.capacity - self._untouched + len(self._empty) + len(self._unused)

    @property
    def usage(self) -> float:
        """The share of all blocks that are in use, 0 to 1."""
        return 1 - self.free / self.capacity

    def open(self, tokens: Sequence[int], salt: str) -> BlockTable:
        """A table for a text, with the blocks of its beginning that are there already.

        They never hold all of it: its last token has to be read for what follows.
        """
        table = BlockTable(salt)
        if self._shares:
            for end in range(BLOCK_TOKENS, len(tokens), BLOCK_TOKENS):
                content = _Content(_last(table), tuple(tokens[end - BLOCK_TOKENS : end]))
                name = _hash(content)
                block = self._by_hash.get(name)
                if block is None or self._hashes[block][1] != content:
                    break
                self._use(block)
                table.blocks.append(block)
                table.known.append(name)
        return table

    def grow(self, table: BlockTable, tokens: int) -> bool:
        """Make room for so many tokens in all; whether there is room. Where there is not, nothing changes."""
        missing = blocks_for(tokens) - len(table.blocks)
        if missing > self.free:
            return False
        for _ in range(missing):
            table.blocks.append(self._take(table.blocks[-1] + 1 if table.blocks else None))
        return True

    def stored(self, table: BlockTable, tokens: Sequence[int], count: int) -> None:
        """The keys and values of the first so many tokens of a text are in the table's blocks."""
        if not self._shares:
            return
        for number in range(len(table.known), count // BLOCK_TOKENS):
            start = number * BLOCK_TOKENS
            content = _Content(_last(table), tuple(tokens[start : start + BLOCK_TOKENS]))
            name = _hash(content)
            table.known.append(name)
            if name not in self._by_hash:  # else another text has just stored the same: that one is shared
                self._by_hash[name] = table.blocks[number]
                self._hashes[table.blocks[number]] = (name, content)

    def disown(self, table: BlockTable) -> None:
        """Have no other text begin with what a text has stored. The blocks that others use are theirs from now on."""
        for block in table.blocks:
            if known := self._hashes.pop(block, None):
                del self._by_hash[known[0]]
        own = [block for block in table.blocks if self._users[block] == 1]
        for block in table.blocks:
            if self._users[block] > 1:
                self._users[block] -= 1
        table.blocks, table.known = own, []

    def close(self, table: BlockTable) -> None:
        """Give back all blocks. The last ones are the first to be forgotten: without them the others are of use."""
        for block in reversed(table.blocks):
            self._users[block] -= 1
            if self._users[block] == 0:
                del self._users[block]
                (self._unused if block in self._hashes else self._empty)[block] = None
        table.blocks, table.known = [], []

    def _use(self, block: int) -> None:
        self._unused.pop(block, None)
        self._users[block] = self._users.get(block, 0) + 1

    def _take(self, wanted: int | None) -> int:
        """A block for new content: the wanted one where it is empty, so that texts lie in one piece."""
        if wanted is not None and wanted in self._empty:
            block = wanted
            del self._empty[block]
        elif self._untouched < self.capacity and (not self._empty or wanted == self._untouched):
            block = self._untouched
            self._untouched += 1
        elif self._empty:
            block, _ = self._empty.popitem(last=False)
        else:
            block, _ = self._unused.popitem(last=False)
            name, _ = self._hashes.pop(block)
            del self._by_hash[name]
        self._users[block] = 1
        return block


def _last(table: BlockTable) -> bytes:
    return table.known[-1] if table.known else blake2b(table.salt.encode(), digest_size=32).digest()


def _hash(content: _Content) -> bytes:
    return blake2b(content.before + array("q", content.tokens).tobytes(), digest_size=32).digest()
