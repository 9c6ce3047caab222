"""What chat models are told."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from llamafarm.wire import Message

from llamafarm_agents.classifier.options import LabelOptions

YES_OR_NO = {"yes": "yes", "no": "no"}
_SORT = (
    "Sort the text of the user into one of these classes:\n\n{classes}\n\n"
    "Answer with the key of the class alone: {keys}."
)
_FITS = (
    "The user shows a text and describes a class. Say whether the text belongs to the class. "
    "Answer with one word: yes or no."
)
_TEXT = "The text:\n\n{text}\n\nThe key of its class:"
_PAIR = "The text:\n\n{text}\n\nThe class: {told}\n\nDoes the text belong to the class? yes or no:"
_AGAIN = "That is none of the answers. Answer with one of these, and with nothing else: {keys}."


def sorting(
    text: str, labels: Mapping[str, str], classes: Mapping[str, LabelOptions], instructions: str | None
) -> list[Message]:
    """Asks which class a text belongs to. labels: by their keys."""
    listed = "\n".join(f"{key}: {_told(label, classes[label])}" for key, label in labels.items())
    system = _SORT.format(classes=listed, keys=listing(list(labels)))
    return _messages(system, _TEXT.format(text=text), instructions)


def fitting(text: str, label: str, options: LabelOptions, instructions: str | None) -> list[Message]:
    """Asks whether a text belongs to one class. What the questions of one text have in common stands first."""
    return _messages(_FITS, _PAIR.format(text=text, told=_told(label, options)), instructions)


def again(messages: Sequence[Message], answer: str, keys: Sequence[str]) -> list[Message]:
    """Asks once more, after an answer that names none of the keys."""
    said: list[Message] = [
        {"role": "assistant", "content": answer},
        {"role": "user", "content": _AGAIN.format(keys=listing(keys))},
    ]
    return [*messages, *said]


def listing(keys: Sequence[str]) -> str:
    return ", ".join(keys)


def _messages(system: str, user: str, instructions: str | None) -> list[Message]:
    told = f"{instructions}\n\n{system}" if instructions else system
    return [{"role": "system", "content": told}, {"role": "user", "content": user}]


def _told(label: str, options: LabelOptions) -> str:
    """A class in one paragraph: its label, its description, its examples."""
    description = f" – {options.description.strip()}" if options.description else ""
    examples = "".join(f"\n  for example: {' '.join(example.split())}" for example in options.examples)
    return f"{label}{description}{examples}"
