"""Varies questions as people type them, so that the model learns what is asked and not the exact words.

Words give way to synonyms, words are dropped, fillers are put before, within and after, case and punctuation change,
letters slip. A word is never dropped or misspelt where little would be left of the question.
"""

from __future__ import annotations

import random
import re
from pathlib import Path

import yaml

HERE = Path(__file__).parent
FILLERS: dict[str, list[str]] = yaml.safe_load((HERE / "fillers.yaml").read_text(encoding="utf-8"))
FRAMES: list[str] = yaml.safe_load((HERE / "frames.yaml").read_text(encoding="utf-8"))
SYNONYMS: list[list[str]] = yaml.safe_load((HERE / "synonyms.yaml").read_text(encoding="utf-8"))
REFRAMED = 0.5
"""How often a question of what something is takes another form."""
REWORDED = 0.3
"""How often a word gives way to a synonym, where it has one."""
LEAVE_OUT = {"a", "an", "the", "is", "are", "do", "does", "of", "to", "in", "for", "it", "me", "my", "i", "can", "you"}
LONGEST_SYNONYM = max(len(member.split()) for group in SYNONYMS for member in group)
FRAMED = re.compile(
    r"(?:what is|what's|what are|explain|define|describe|tell me about|what does|meaning of|what is meant by) "
    r"((?:an? |the )?[\w.-]+(?: [\w.-]+)?)(?: meaning| mean| explained| definition)?[?.]?",
    re.IGNORECASE,
)
KEYBOARD = ("qwertyuiop", "asdfghjkl", "zxcvbnm")


def vary(question: str, rng: random.Random) -> str:
    """The question as somebody else might have typed it; about one in four stays as it is."""
    if rng.random() < 0.25:
        return question
    words = _drop(_reword(_reframe(question, rng).split(), rng), rng)
    words = _insert(words, rng)
    text = _slip(" ".join(words), rng)
    return _change_case(_change_end(text, rng), rng)


def vary_lightly(request: str, rng: random.Random) -> str:
    """For requests whose words are copied into a call: fillers before and after, and the end, and nothing else."""
    if rng.random() < 0.3:
        request = f"{rng.choice(FILLERS['before'])} {request}"
    if rng.random() < 0.15:
        request = f"{request} {rng.choice(['please', 'thanks', 'Thanks!', 'thank you', 'pls'])}"
    return _change_end(request, rng)


def _reframe(question: str, rng: random.Random) -> str:
    """Ask in another form what something is, where that is what is asked."""
    framed = FRAMED.fullmatch(question)
    return rng.choice(FRAMES).format(framed[1]) if framed and rng.random() < REFRAMED else question


def _index(groups: list[list[str]]) -> dict[str, list[str]]:
    """What may stand for each word or phrase: the other members of all its groups."""
    index: dict[str, list[str]] = {}
    for group in groups:
        for member in group:
            index.setdefault(member.lower(), []).extend(other for other in group if other != member)
    return index


INSTEAD = _index(SYNONYMS)


def _reword(words: list[str], rng: random.Random) -> list[str]:
    """Each word or phrase that has synonyms gives way to one of them now and then; the longest phrase counts."""
    done: list[str] = []
    at = 0
    while at < len(words):
        length, phrase, mark = _phrase_at(words, at)
        instead = INSTEAD.get(phrase, [])
        new = instead and rng.random() < REWORDED
        done += f"{rng.choice(instead)}{mark}".split() if new else words[at : at + length]
        at += length
    return done


def _phrase_at(words: list[str], at: int) -> tuple[int, str, str]:
    """The longest phrase with synonyms that begins here: its number of words, itself, and the mark that ends it."""
    for length in range(min(LONGEST_SYNONYM, len(words) - at), 0, -1):
        text = " ".join(words[at : at + length])
        phrase = text.rstrip("?.!,")
        if phrase.lower() in INSTEAD:
            return length, phrase.lower(), text[len(phrase) :]
    return 1, "", ""


def _drop(words: list[str], rng: random.Random) -> list[str]:
    """Small words go easily; one other word goes now and then, where at least three stay."""
    if rng.random() < 0.4:
        words = [word for word in words if word.lower() not in LEAVE_OUT or rng.random() < 0.5] or words
    if len(words) > 3 and rng.random() < 0.3:
        del words[rng.randrange(len(words))]
    return words


def _insert(words: list[str], rng: random.Random) -> list[str]:
    if rng.random() < 0.25:
        place = rng.randint(0, len(words))
        words = [*words[:place], rng.choice(FILLERS["within"]), *words[place:]]
    if rng.random() < 0.35:
        words = [rng.choice(FILLERS["before"]), *words]
    if rng.random() < 0.25:
        words = [*words[:-1], words[-1].rstrip("?."), rng.choice(FILLERS["after"])]
    return words


def _slip(text: str, rng: random.Random) -> str:
    """One slip of the finger in a long word: a letter doubled, lost, swapped with the next, or its neighbour's."""
    if rng.random() > 0.12:
        return text
    places = [i for i in range(1, len(text) - 1) if re.fullmatch("[A-Za-z][a-z][A-Za-z]", text[i - 1 : i + 2])]
    if len(places) < 6:
        return text
    at = rng.choice(places)
    slips = [text[at] * 2, "", text[at + 1] + text[at], _neighbour(text[at], rng)]
    kind = rng.randrange(4)
    return text[:at] + slips[kind] + text[at + (2 if kind == 2 else 1) :]


def _neighbour(letter: str, rng: random.Random) -> str:
    row = next(row for row in KEYBOARD if letter in row)
    at = row.index(letter)
    return rng.choice(row[max(0, at - 1) : at] + row[at + 1 : at + 2])


def _change_end(text: str, rng: random.Random) -> str:
    chance = rng.random()
    if chance < 0.3:
        return text.rstrip("?.! ")
    if chance < 0.35:
        return text.rstrip("?.! ") + rng.choice(["??", " ?", "!", ".", "...", "?!"])
    return text


def _change_case(text: str, rng: random.Random) -> str:
    chance = rng.random()
    if chance < 0.3:
        return text.lower()
    if chance < 0.37:
        return text.upper()
    if chance < 0.41:
        return text.title()
    return text[:1].swapcase() + text[1:] if chance < 0.5 else text
