"""Words of any language."""

from __future__ import annotations

import pytest
from llamafarm_rag.database.word_tokens import words


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("The Farm's 2 lamas, snake_case!", ["the", "farm", "s", "2", "lamas", "snake", "case"]),
        ("Größe STRASSE straße", ["grösse", "strasse", "strasse"]),
        ("Что такое модель?", ["что", "такое", "модель"]),
        ("東京タワーへ行く", ["東京", "京タ", "タワ", "ワー", "ーへ", "へ行", "行く"]),
        ("模型 v2是", ["模型", "v2", "是"]),
        ("ＡＢＣ １２", ["abc", "12"]),
        ("모델은 무엇", ["모델은", "무엇"]),
        ("", []),
        ("?! ...", []),
    ],
)
def test_words(text, expected):
    assert words(text) == expected
