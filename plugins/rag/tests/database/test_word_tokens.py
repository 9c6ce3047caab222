"""Words of any language."""

from __future__ import annotations

import pytest
from llamafarm_rag.database.word_tokens import words


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("The Farm's 2 lamas, snake_case!", ["the", "farm", "s", "2", "lama", "snake", "case"]),
        ("Größe STRASSE straße", ["grösse", "strass", "strass"]),
        ("Что такое модель?", ["что", "такое", "модель"]),
        ("東京タワーへ行く", ["東京", "京タ", "タワ", "ワー", "ーへ", "へ行", "行く"]),
        ("模型 v2是", ["模型", "v2", "是"]),
        ("ＡＢＣ １２", ["abc", "12"]),
        ("모델은 무엇", ["모델은", "무엇"]),
        ("running policies of the cows", ["run", "polici", "of", "the", "cow"]),
        ("HV-88213-C on 2024-10-08", ["hv", "88213", "c", "on", "2024", "10", "08", "hv-88213-c", "2024-10-08"]),
        ("well-kept: 3.5 l/day", ["well", "kept", "3", "5", "l", "day", "3.5"]),
        ("", []),
        ("?! ...", []),
    ],
)
def test_words(text, expected):
    assert words(text) == expected
