"""What is found in texts, however they are cut into pieces."""

from __future__ import annotations

import random

import pytest
from llamafarm.errors import PluginError
from llamafarm_agents.guard.options import GuardOptions
from llamafarm_agents.guard.scanner import Refusal, Scanner
from pydantic import ValidationError

KEY = "sk-proj-" + "a1B2" * 8
PRIVATE = "-----BEGIN RSA PRIVATE KEY-----\nMIIE\nabcd==\n-----END RSA PRIVATE KEY-----"


def scanner(*checks):
    return Scanner(GuardOptions(after=list(checks)).after)


def whole(text, *checks):
    return scanner(*checks).scan(text, last=True)


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("Write to ada@example.org today.", "Write to [e-mail] today."),
        ("ada.l+x@mail.example.co.uk, bob@x.io", "[e-mail], [e-mail]"),
        ("@ada and a@b", "@ada and a@b"),
        ("3@4 = 12", "3@4 = 12"),
    ],
)
def test_addresses_are_found(text, left):
    assert whole(text, {"check": "emails"}) == left


@pytest.mark.parametrize(
    "secret",
    [
        KEY,
        "sk-ant-api03-" + "x" * 40,
        "AKIAIOSFODNN7EXAMPLE",
        "ghp_" + "a1" * 18,
        "github_pat_" + "A1_" * 12,
        "hf_" + "Ab" * 17,
        "xoxb-123456789012-abcdefghij",
        "AIza" + "a" * 35,
        "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N_XgL0n3I9P",
        PRIVATE,
    ],
)
def test_secrets_are_found(secret):
    assert whole(f"The key: {secret} .", {"check": "secrets"}) == "The key: [secret] ."


@pytest.mark.parametrize("text", ["risk-free-and-easy", "A sk- key", "ghp_short", "the public key of AKIA"])
def test_what_only_looks_like_a_secret_stays(text):
    assert whole(text, {"check": "secrets"}) == text


@pytest.mark.parametrize("seed", range(40))
def test_however_a_text_is_cut_the_same_is_sent(seed):
    """And nothing of what is found is ever sent before it is known."""
    chance = random.Random(seed)
    text = f"Hello ada@example.org, your key is {KEY}. Or was it {PRIVATE}? The cow's name is Berta, a@b, sk-no."
    checks = ({"check": "emails"}, {"check": "secrets"}, {"check": "patterns", "patterns": ["Bert[a-z]+"]})
    cuts = sorted(chance.sample(range(len(text)), chance.randrange(1, 60)))
    pieces = [text[begin:end] for begin, end in zip([0, *cuts], [*cuts, len(text)], strict=True)]
    scanning = scanner(*checks)
    sent = [scanning.scan(piece, last=False) for piece in pieces]
    sent.append(scanning.scan("", last=True))
    assert "".join(sent) == whole(text, *checks)
    for secret in ("ada@example", KEY[:12], "MIIE", "Berta"):
        assert secret not in "".join(sent)


def test_what_holds_nothing_suspicious_is_sent_at_once():
    scanning = scanner({"check": "emails"}, {"check": "secrets"})
    assert [scanning.scan(piece, last=False) for piece in ("A cow says ", "moo. ", "Really? ")] == [
        "A cow says ",
        "moo. ",
        "Really? ",
    ]


def test_what_is_flagged_stays_and_is_counted():
    scanning = scanner({"check": "emails", "action": "flag"})
    assert scanning.scan("a@b.org and c@d.org!", last=True) == "a@b.org and c@d.org!"
    assert scanning.found == {("emails", "flag"): 2}


def test_what_is_refused_ends_the_text():
    with pytest.raises(Refusal) as refusal:
        whole("my key is " + KEY, {"check": "secrets", "action": "refuse"})
    assert refusal.value.check == "secrets"


def test_a_text_may_be_as_long_as_it_is_allowed_and_is_told_once():
    scanning = scanner({"check": "length", "most": 10, "action": "flag"})
    for piece in ("12345", "67890", "x", "y"):
        scanning.scan(piece, last=False)
    assert scanning.found == {("length", "flag"): 1}
    with pytest.raises(Refusal):
        whole("x" * 11, {"check": "length", "most": 10})


def test_a_pattern_that_takes_too_long_is_an_error_that_names_where_it_stands():
    with pytest.raises(PluginError) as caught:
        whole("a" * 200 + "!", {"check": "patterns", "patterns": [r"(?:a|a|aa)+$b"]}) or whole(
            "x" * 30_000, {"check": "patterns", "patterns": [r"(x+x+)+y"]}
        )
    assert "handlers: {guard: …}" in caught.value.hint


@pytest.mark.parametrize(("pattern", "reason"), [("(", "no regular expression"), ("a*", "fits an empty text")])
def test_a_pattern_that_cannot_be_used_is_refused(pattern, reason):
    with pytest.raises(ValidationError, match=reason):
        scanner({"check": "patterns", "patterns": [pattern]})
