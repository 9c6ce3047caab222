"""Strategies that stand on another one of their database."""

from __future__ import annotations

from collections.abc import Sequence

from llamafarm.errors import UsageError

from llamafarm_rag.config.retrieval import MultiQueryStrategy, RerankedStrategy, RetrievalStrategy


def chain_of(strategy: RetrievalStrategy, strategies: Sequence[RetrievalStrategy]) -> list[RetrievalStrategy]:
    """A strategy, the one that it stands on, and so on. strategies: those of the database.

    Raises UsageError for a base that is not there, that leads back, or that does the same step again.
    """
    by_name = {each.name: each for each in strategies}
    chain = [strategy]
    while (base := _base(chain[-1])) is not None:
        if base not in by_name:
            raise _wrong(chain, f"{base!r} is no retrieval strategy of this database", by_name)
        if base in (each.name for each in chain):
            raise _wrong(chain, f"{base!r} stands on it in turn", by_name)
        if any(type(by_name[base]) is type(each) for each in chain):
            raise _wrong(chain, f"{base!r} is of the same type, which is done once for a question", by_name)
        chain.append(by_name[base])
    return chain


def _base(strategy: RetrievalStrategy) -> str | None:
    return strategy.config.base if isinstance(strategy, RerankedStrategy | MultiQueryStrategy) else None


def _wrong(chain: Sequence[RetrievalStrategy], why: str, names: dict[str, RetrievalStrategy]) -> UsageError:
    return UsageError(
        f"The base of the retrieval strategy {chain[-1].name!r}: {why}.",
        hint=f"There are: {', '.join(names)}.",
        code="invalid_strategy",
    )
