"""One name is given; the distribution, the package and the classes follow from it."""

from __future__ import annotations

import pytest
from llamafarm.errors import UsageError
from llamafarm_kit.scaffold.names import LONGEST, named


@pytest.mark.parametrize("text", ["acme-server", "llamafarm-acme-server"])
def test_the_prefix_is_never_doubled(text):
    names = named(text)
    assert names.name == "acme-server"
    assert names.distribution == "llamafarm-acme-server"
    assert names.package == "llamafarm_acme_server"
    assert (names.stem, names.variable) == ("AcmeServer", "ACME_SERVER")


@pytest.mark.parametrize(
    ("text", "near"),
    [
        ("Acme", "acme"),
        ("acmeServer", "acme-server"),
        ("acme_server", "acme-server"),
        ("acme--server", "acme-server"),
        ("acme server", "acme-server"),
        ("-acme", "acme"),
        ("acme-", "acme"),
        ("3d", "d"),
        ("../acme", "acme"),
        ("a" * (LONGEST + 1), "a" * LONGEST),
    ],
)
def test_what_cannot_be_a_name_is_refused_with_the_nearest_that_can(text, near):
    with pytest.raises(UsageError) as raised:
        named(text)
    assert repr(text) in raised.value.message
    assert raised.value.hint == f"Try {near!r}."
    assert named(near).name == near


@pytest.mark.parametrize("text", ["", "llamafarm-", "42", "größe", "…"])
def test_whatever_is_given_a_refusal_suggests_only_what_would_do(text):
    with pytest.raises(UsageError) as raised:
        named(text)
    for near in (raised.value.hint or "").removeprefix("Try ").removesuffix(".").split():
        named(near.strip("'"))


@pytest.mark.parametrize("name", ["openai", "universal", "rag", "simple", "structured", "runtime", "llamafarm-ollama"])
def test_a_name_of_llamafarms_own_is_refused_with_another(name):
    with pytest.raises(UsageError) as raised:
        named(name)
    bare = name.removeprefix("llamafarm-")
    assert f"{bare!r} is the name of a plugin of LlamaFarm itself" in raised.value.message
    assert named(f"my-{bare}").name == f"my-{bare}"
