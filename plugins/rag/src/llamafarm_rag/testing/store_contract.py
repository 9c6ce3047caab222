"""What every store keeps to. Subclass it, say how a store is opened, and pytest runs the rest."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
from llamafarm.errors import UsageError
from numpy.typing import NDArray

from llamafarm_rag.database.passage import Passage
from llamafarm_rag.errors import DimensionMismatch
from llamafarm_rag.store.base import Store

ANN = Passage("ann", "Ann's text", "a.txt", "notes", 0, 0, 10, 1, ("Top", "Below"), {"author": "Ann", "year": 2020})
BEN = Passage("ben", "Bens Wörter\n人", "b.txt", "notes", 1, 10, 30, metadata={"author": "Ben", "year": 2021.5})
CAT = Passage("cat", "", "c.txt", "other", 2, 0, 0, 7, (), {"draft": True, "page": "last", "big": 2**70})
FAR = Passage("far", "far", "f.txt", "other", 3, 1, 4)
VECTORS: NDArray[np.float32] = np.array([[1, 0, 0, 0], [0.8, 0.6, 0, 0], [0, 1, 0, 0], [-1, 0, 0, 0]], dtype=np.float32)
QUESTION = VECTORS[0]

FILTERS: list[tuple[dict[str, Any], set[str]]] = [
    ({"author": "Ann"}, {"ann"}),
    ({"dataset": "other"}, {"cat", "far"}),
    ({"year": 2020.0}, {"ann"}),
    ({"year": {"$gte": 2020}}, {"ann", "ben"}),
    ({"year": {"$gt": 2020, "$lt": 2022}}, {"ben"}),
    ({"year": {"$lte": 2021}}, {"ann"}),
    ({"author": {"$ne": "Ann"}}, {"ben", "cat", "far"}),
    ({"year": {"$in": [2021, 2021.5]}}, {"ben"}),
    ({"author": {"$nin": ["Ann", "Ben", 3]}}, {"cat", "far"}),
    ({"draft": True}, {"cat"}),
    ({"draft": 1}, set()),
    ({"page": 7}, {"cat"}),
    ({"metadata.page": "last"}, {"cat"}),
    ({"$or": [{"author": "Ben"}, {"number": 3}]}, {"ben", "far"}),
    ({"$and": [{"dataset": "notes"}, {"$or": [{"year": 2020}, {"year": 1}]}], "file": "a.txt"}, {"ann"}),
    ({"nobody": "has it"}, set()),
    ({}, {"ann", "ben", "cat", "far"}),
]
UNREADABLE: list[dict[str, Any]] = [
    {"year": {"$near": 3}},
    {"$not": [{"year": 3}]},
    {"$or": []},
    {"year": {"$gt": "2020"}},
    {"year": {"$in": []}},
    {"year": None},
    {"year": {}},
    {"year": float("nan")},
]


class StoreContract:
    """The contract of `llamafarm_rag.store.base.Store`."""

    def open(self) -> Store:
        """A store with nothing in it, or, called again in one test, the same one as it was left."""
        raise NotImplementedError

    def filled(self) -> Store:
        """A store with the passages above."""
        store = self.open()
        store.add([ANN, BEN, CAT, FAR], VECTORS)
        return store

    def test_passages_come_back_as_they_were_put_in(self) -> None:
        store = self.filled()
        assert store.get(["far", "nobody", "ann", "cat", "ben"]) == [FAR, ANN, CAT, BEN]
        assert [type(value) for value in store.get(["ben"])[0].metadata.values()] == [str, float]
        assert (store.count(), sorted(store.ids())) == (4, ["ann", "ben", "cat", "far"])
        store.close()

    def test_the_nearest_comes_first_with_its_cosine(self) -> None:
        store = self.filled()
        matches = store.nearest(QUESTION, 3, None)
        assert [match.passage for match in matches] == [ANN, BEN, CAT]
        assert np.allclose([match.score for match in matches], [1, 0.8, 0], atol=1e-5)
        assert len(store.nearest(QUESTION, 100, None)) == 4
        assert store.nearest(QUESTION, 0, None) == []
        store.close()

    def test_similarities_are_cosines_of_those_that_are_there(self) -> None:
        store = self.filled()
        scores = store.similarities(QUESTION * 3, ["far", "nobody", "ben"])
        assert list(scores) == ["far", "ben"]
        assert np.allclose(list(scores.values()), [-1, 0.8], atol=1e-5)
        assert store.similarities(QUESTION, []) == {}
        store.close()

    def test_filters(self) -> None:
        store = self.filled()
        for where, expected in FILTERS:
            assert {match.passage.id for match in store.nearest(QUESTION, 10, where)} == expected, where
            assert set(store.ids(where)) == expected, where
        store.close()

    def test_a_filter_that_cannot_be_read_is_refused(self) -> None:
        store = self.filled()
        for where in UNREADABLE:
            for ask in (lambda where=where: store.nearest(QUESTION, 1, where), lambda where=where: store.ids(where)):
                try:
                    ask()
                except UsageError as error:
                    assert error.hint, where
                else:
                    raise AssertionError(f"no UsageError for {where}")
        store.close()

    def test_a_passage_of_the_same_id_is_replaced(self) -> None:
        store = self.filled()
        changed = dataclasses.replace(ANN, text="other", page=None, metadata={})
        store.add([changed], VECTORS[3:])
        assert (store.get(["ann"]), store.count()) == ([changed], 4)
        assert store.nearest(QUESTION, 1, None)[0].passage == BEN
        assert store.ids({"author": "Ann"}) == []
        store.close()

    def test_deleted_passages_are_gone_and_unknown_ones_no_error(self) -> None:
        store = self.filled()
        store.delete(["ann", "nobody"])
        store.delete([])
        assert (store.get(["ann"]), store.count()) == ([], 3)
        assert store.nearest(QUESTION, 1, None)[0].passage == BEN
        store.close()

    def test_vectors_of_another_length_are_told(self) -> None:
        store = self.filled()
        for ask in (lambda: store.add([ANN], VECTORS[:1, :3]), lambda: store.nearest(QUESTION[:3], 1, None)):
            try:
                ask()
            except DimensionMismatch:
                continue
            raise AssertionError("no DimensionMismatch")
        store.close()

    def test_a_cleared_store_takes_vectors_of_another_length(self) -> None:
        store = self.filled()
        store.clear()
        assert (store.count(), store.ids(), store.get(["ann"])) == (0, [], [])
        store.add([ANN], VECTORS[:1, :2])
        assert store.nearest(QUESTION[:2], 5, None)[0].passage == ANN
        store.close()

    def test_an_empty_store_finds_nothing(self) -> None:
        store = self.open()
        assert (store.count(), store.ids(), store.get(["a"])) == (0, [], [])
        assert store.nearest(QUESTION, 3, None) == []
        store.close()

    def test_what_was_put_in_is_there_when_it_is_opened_again(self) -> None:
        store = self.filled()
        store.close()
        store.close()
        again = self.open()
        assert sorted(passage.id for passage in again.get(["ann", "ben", "cat", "far"])) == ["ann", "ben", "cat", "far"]
        assert again.nearest(QUESTION, 1, None)[0].passage == ANN
        again.close()

    def test_more_passages_than_fit_in_one_call(self) -> None:
        store = self.open()
        passages = [dataclasses.replace(FAR, id=f"p{number}", number=number) for number in range(5500)]
        generator = np.random.default_rng(0)
        store.add(passages, generator.normal(size=(5500, 4)).astype(np.float32))
        assert store.count() == 5500
        assert len(store.get(store.ids({"number": {"$gte": 3000}}))) == 2500
        store.delete([passage.id for passage in passages[:1200]])
        assert store.count() == 4300
        store.close()
