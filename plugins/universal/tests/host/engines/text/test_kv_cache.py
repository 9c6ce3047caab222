"""Blocks are shared by texts that begin alike, are given back, and never hold anything else than they say."""

from __future__ import annotations

import random

import pytest
from llamafarm_universal.host.engines.text.kv_cache import BLOCK_TOKENS, BlockTable, KVCache


def read(cache: KVCache, tokens: list[int], salt: str = "") -> tuple[BlockTable, int]:
    """Open a text, and store all of it. Returns how many of its blocks were there already."""
    table = cache.open(tokens, salt)
    shared = len(table.blocks)
    assert cache.grow(table, len(tokens))
    cache.stored(table, tokens, len(tokens))
    return table, shared


def text(blocks: float, first: int = 0) -> list[int]:
    return list(range(first, first + int(blocks * BLOCK_TOKENS)))


def test_a_text_takes_the_blocks_that_it_needs_and_gives_them_back() -> None:
    cache = KVCache(4)
    table = cache.open(text(2.5), "")
    assert cache.grow(table, int(2.5 * BLOCK_TOKENS))
    assert (len(table.blocks), cache.free, cache.usage) == (3, 1, 0.75)
    assert not cache.grow(table, 5 * BLOCK_TOKENS)
    assert (len(table.blocks), cache.free) == (3, 1)
    cache.close(table)
    assert cache.free == 4


def test_blocks_of_a_text_lie_in_one_piece_where_they_can() -> None:
    cache = KVCache(100)
    for first in (0, 1000):
        table, _ = read(cache, text(7, first))
        assert table.blocks == list(range(table.blocks[0], table.blocks[0] + 7))
        cache.close(table)


def test_texts_that_begin_alike_share_whole_blocks() -> None:
    cache = KVCache(10)
    first, _ = read(cache, [*text(2.5), 7])
    second, shared = read(cache, [*text(2.5), 8, 9])
    assert shared == 2
    assert second.blocks[:2] == first.blocks[:2]
    assert second.blocks[2] != first.blocks[2]
    assert cache.free == 6


def test_a_text_that_is_there_as_a_whole_still_has_its_last_token_to_read() -> None:
    cache = KVCache(10)
    read(cache, text(3))
    assert len(cache.open(text(3), "").blocks) == 2


def test_a_block_is_shared_only_behind_the_same_beginning() -> None:
    cache = KVCache(10)
    read(cache, [*text(1, 100), *text(2)])
    _, shared = read(cache, [*text(1, 200), *text(2)])
    assert shared == 0


def test_nothing_is_shared_between_tenants() -> None:
    cache = KVCache(10)
    read(cache, text(3), "one")
    assert cache.open(text(3), "other").blocks == []
    assert len(cache.open(text(3), "one").blocks) == 2


def test_what_is_used_no_more_stays_until_its_room_is_needed_the_oldest_goes_first() -> None:
    cache = KVCache(6)
    for first in (0, 1000):
        cache.close(read(cache, text(2, first))[0])
    assert cache.free == 6
    held, _ = read(cache, text(3.5, 2000))  # two empty ones, and two of the oldest text
    assert [len(cache.open([*text(2, first), 0], "").blocks) for first in (0, 1000)] == [0, 2]
    cache.close(held)


def test_the_end_of_a_text_is_forgotten_before_its_beginning() -> None:
    cache = KVCache(4)
    cache.close(read(cache, text(4))[0])
    cache.close(read(cache, text(1.5, 1000))[0])
    assert len(cache.open([*text(4), 0], "").blocks) == 2


def test_a_block_that_another_text_has_just_stored_is_not_stored_under_the_same_name_twice() -> None:
    cache = KVCache(8)
    tables = [cache.open(text(2), "") for _ in range(2)]
    for table in tables:
        cache.grow(table, 2 * BLOCK_TOKENS)
    for table in tables:
        cache.stored(table, text(2), 2 * BLOCK_TOKENS)
    for table in tables:
        cache.close(table)
    assert cache.free == 8
    assert len(cache.open([*text(2), 1], "").blocks) == 2


def test_what_a_text_disowns_is_found_by_nobody_and_stays_with_those_who_use_it() -> None:
    cache = KVCache(10)
    broken, _ = read(cache, text(3))
    beside, shared = read(cache, text(4))
    assert shared == 3
    own = set(beside.blocks) - set(broken.blocks)
    cache.disown(broken)
    assert broken.blocks == []
    cache.disown(beside)
    assert len(beside.blocks) == 4
    assert own < set(beside.blocks)
    cache.close(broken)
    assert cache.free == 6
    assert read(cache, text(3))[1] == 0
    cache.close(beside)
    assert cache.free == 7


def test_without_sharing_each_text_has_its_own() -> None:
    cache = KVCache(10, shares=False)
    read(cache, text(3))
    assert read(cache, text(3))[1] == 0


@pytest.mark.parametrize("seed", range(5))
def test_whatever_happens_each_block_holds_what_its_texts_say(seed: int) -> None:
    """Texts of few tokens come, grow and go at random; what each block holds is followed beside the cache."""
    chance, cache = random.Random(seed), KVCache(40)
    held: dict[int, list[int]] = {}
    texts: list[tuple[BlockTable, list[int]]] = []
    for _ in range(3000):
        if texts and chance.random() < 0.45:
            cache.close(texts.pop(chance.randrange(len(texts)))[0])
        elif texts and chance.random() < 0.5:
            table, tokens = chance.choice(texts)
            grow(cache, table, tokens, chance.choices(range(2), k=chance.randrange(1, 20)), held)
        else:
            tokens = chance.choices(range(2), weights=(9, 1), k=chance.randrange(1, 70))
            table = cache.open(tokens, "")
            assert all(held[block] == part(tokens, at) for at, block in enumerate(table.blocks))
            if grow(cache, table, tokens, [], held):
                texts.append((table, tokens))
            else:
                cache.close(table)
        used = {block for table, _ in texts for block in table.blocks}
        assert cache.free == 40 - len(used)
        assert all(held[block] == part(tokens, at) for table, tokens in texts for at, block in enumerate(table.blocks))
    for table, _ in texts:
        cache.close(table)
    assert cache.free == 40


def part(tokens: list[int], at: int) -> list[int]:
    return tokens[at * BLOCK_TOKENS : (at + 1) * BLOCK_TOKENS]


def grow(cache: KVCache, table: BlockTable, tokens: list[int], more: list[int], held: dict[int, list[int]]) -> bool:
    if not cache.grow(table, len(tokens) + len(more)):
        return False
    tokens += more
    for at in range(len(table.known), len(table.blocks)):
        held[table.blocks[at]] = part(tokens, at)
    cache.stored(table, tokens, len(tokens))
    return True
