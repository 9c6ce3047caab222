"""What all contract tests share: an author subclasses them, and may escape a test by `xfail` with a reason alone.

class TestAcme(PluginContract):
    plugin = "acme"
    xfail = {"test_it_carries_type_hints": "the generated client has none yet"}

A key is a test's name, or `name[id]` for one case of it. The marks are strict: an escape that is needed no more fails.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import ClassVar

import pytest

GUARD = "test_no_contract_test_is_replaced_or_skipped"


class Contract:
    """The base of every contract.

    xfail: the tests that are known to fail, each with the reason. Nothing else excuses one: a test that is replaced in
    a subclass, or marked to be skipped, fails `test_no_contract_test_is_replaced_or_skipped`. packages: those whose
    classes are the contract itself and no author's; who writes a contract of another kind adds the one that it is in.
    """

    xfail: ClassVar[Mapping[str, str]] = {}
    packages: ClassVar[frozenset[str]] = frozenset({__name__.rpartition(".")[0]})

    @pytest.fixture
    def anyio_backend(self) -> str:
        """Async tests run on asyncio, as LlamaFarm does."""
        return "asyncio"

    @pytest.fixture(autouse=True)
    def _known_failures(self, request: pytest.FixtureRequest) -> None:
        """Mark the running test as `xfail` says; before anything else of the test is set up."""
        node: pytest.Function = request.node
        reason = self.xfail.get(node.name) or self.xfail.get(node.originalname)
        if reason and reason.strip() and node.originalname != GUARD:
            request.applymarker(pytest.mark.xfail(reason=reason, strict=True))

    def test_no_contract_test_is_replaced_or_skipped(self) -> None:
        """A contract test is escaped only by `xfail`, with a reason."""
        assert not (found := [*replaced(type(self))]), f"replaced, where `xfail` could say why: {', '.join(found)}"
        assert not (found := [*skipped(type(self))]), f"marked, where `xfail` could say why: {', '.join(found)}"
        assert not (found := [*unexplained(self.xfail)]), f"`xfail` says no reason for {', '.join(found)}"
        assert not (found := [*unknown(type(self))]), f"`xfail` names what is no contract test: {', '.join(found)}"


def contract_tests(cls: type[Contract]) -> Mapping[str, type]:
    """The contract tests of a class by their name, each with the class of the contract that defines it."""
    homes = [home for home in reversed(cls.__mro__) if _is_contract(home, cls)]
    return {name: home for home in homes for name in vars(home) if name.startswith("test")}


def replaced(cls: type[Contract]) -> Iterator[str]:
    """The contract tests that a subclass defines anew."""
    known = contract_tests(cls)
    return (name for home in cls.__mro__ if not _is_contract(home, cls) for name in vars(home) if name in known)


def skipped(cls: type[Contract]) -> Iterator[str]:
    """The classes with a mark that keeps their tests from running or from counting."""
    for home in cls.__mro__:
        marks = vars(home).get("pytestmark", [])
        names = [mark.name for mark in (marks if isinstance(marks, list) else [marks])]
        yield from (f"{home.__name__} ({name})" for name in names if name in ("skip", "skipif", "xfail"))


def unexplained(xfail: Mapping[str, str]) -> Iterator[str]:
    """The tests that `xfail` names without a reason."""
    return (name for name, reason in xfail.items() if not reason.strip())


def unknown(cls: type[Contract]) -> Iterator[str]:
    """The names in `xfail` that are no test's."""
    known = contract_tests(cls)
    return (name for name in cls.xfail if name.partition("[")[0] not in known.keys() - {GUARD})


def _is_contract(home: type, cls: type[Contract]) -> bool:
    """Whether a class is part of the contract that `cls` subclasses, and not an author's."""
    return home.__module__.rpartition(".")[0] in cls.packages
