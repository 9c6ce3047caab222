"""Variables in the prompts of the configuration: what they become, and what is none and stays as it is."""

from __future__ import annotations

import pytest
from llamafarm.handlers.variables import filled, variables_in

GIVEN = {"name": "Ada", "age": 36, "price": 0.5, "member": True, "empty": ""}


@pytest.mark.parametrize(
    ("text", "becomes"),
    [
        ("You serve {{name}}.", "You serve Ada."),
        ("{{ name }}{{name}}{{\n name\t}}", "AdaAdaAda"),
        ("{{age}}, {{price}}, {{member}}", "36, 0.5, true"),
        ("{{name | Bob}}", "Ada"),
        ("{{ other | a dear guest }}", "a dear guest"),
        ("{{other|}}.", "."),
        ("{{empty | full}}", ""),
        ("{{other | one\ntwo | {three} }}", "one\ntwo | {three}"),
        ("{{Name | case counts}}", "case counts"),
    ],
)
def test_a_variable_becomes_its_value_else_its_default(text, becomes):
    assert filled(text, GIVEN) == becomes


@pytest.mark.parametrize(
    "text",
    [
        "{name}",
        "{{}}",
        "{{ name",
        "{{ 1st }}",
        "{{user.name}}",
        "{{name()}}",
        "{{ na me }}",
        "{% if name %}",
        "{{ name | {{",
        "{{{{",
        "name }}",
    ],
)
def test_what_is_no_variable_stays_as_it_is_written(text):
    assert filled(text, GIVEN) == text


@pytest.mark.parametrize(
    ("text", "becomes"),
    [
        (r"Write \{{name}} for {{name}}.", "Write {{name}} for Ada."),
        (r"\{{other}}", "{{other}}"),
        (r"C:\new {{name}}\{", "C:\\new Ada\\{"),
    ],
)
def test_a_backslash_before_the_braces_leaves_them(text, becomes):
    assert filled(text, GIVEN) == becomes


def test_a_value_is_put_in_as_it_is_and_never_looked_through():
    """Whoever gives a value can neither read another one nor compute anything."""
    values = {"name": r"{{secret}} \1 \g<name> {{name | x}} \{{", "secret": "s3cret"}
    assert filled("<{{name}}>", values) == r"<{{secret}} \1 \g<name> {{name | x}} \{{>"


def test_a_variable_without_value_and_default_is_an_error():
    with pytest.raises(KeyError, match="other"):
        filled("{{name}} {{other}}", GIVEN)


def test_the_variables_of_a_text_are_told_with_their_defaults():
    text = r"{{a}} {{ b | two words }} \{{c}} {{d|}}"
    assert [*variables_in(text)] == [("a", None), ("b", "two words"), ("d", "")]


def test_open_braces_without_end_take_no_time():
    assert [*variables_in("{{a | " * 20_000)] == []
