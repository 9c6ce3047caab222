"""The tokenizer: a byte-level BPE trained on the corpus, with the chat template.

A word in small letters takes the space before it along, which makes texts a third shorter than with spaces of their
own. Before a capital the space is a token: a name is the same tokens in a sentence and in the JSON of a call, and can
be copied. Digits are single tokens.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from itertools import chain
from pathlib import Path

from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerFast

from . import slots
from .corpus import Corpus

VOCABULARY = 3072
ANSWERS, DEFINITIONS = 10, 40
"""How often an answer and the definition of a tool count beside a question: they are read or written far more often."""
START, END, PAD = "<|im_start|>", "<|im_end|>", "<|pad|>"
CALL, CALL_END = "<tool_call>", "</tool_call>"
PIECES = r" ?\p{Ll}+|\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+|\s"
TEMPLATE = Path(__file__).parent / "chat_template.jinja"


def train_tokenizer(corpus: Corpus, positions: int, further: Iterable[str] = ()) -> PreTrainedTokenizerFast:
    """A tokenizer for texts of up to `positions` tokens, the same for the same corpus and further texts."""
    bpe = Tokenizer(models.BPE())
    bpe.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(PIECES), behavior="isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    bpe.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=VOCABULARY - 2,
        special_tokens=[START, END, PAD],
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    bpe.train_from_iterator(chain(texts(corpus), further), trainer)
    # Not special: a runtime that leaves special tokens out of the text still sees the calls.
    bpe.add_tokens(
        [AddedToken(CALL, special=False, normalized=False), AddedToken(CALL_END, special=False, normalized=False)]
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=bpe,
        eos_token=END,
        pad_token=PAD,
        additional_special_tokens=[START],
        model_max_length=positions,
        padding_side="left",
        model_input_names=["input_ids", "attention_mask"],
        clean_up_tokenization_spaces=False,
        chat_template=TEMPLATE.read_text(encoding="utf-8"),
    )


def texts(corpus: Corpus) -> Iterator[str]:
    """What the merges are learned from: everything the model reads or writes. Slot values count once."""
    for topic in corpus.topics.values():
        yield from [topic.answer] * ANSWERS
        yield from topic.questions
        yield from (question.lower() for question in topic.questions)
    for conversation in corpus.conversations:
        for turn in conversation.turns:
            yield from (slots.PLACE.sub("", text) for text in (*turn.get("user", []), turn.get("assistant", "")))
    for prompts in corpus.system_prompts.values():
        yield from prompts
    yield corpus.decline
    yield from _tool_texts(corpus)
    yield from _unknown_texts(corpus)


def _tool_texts(corpus: Corpus) -> Iterator[str]:
    for tool in corpus.tools:
        yield from [json.dumps(tool.definition), json.dumps(tool.call)] * DEFINITIONS
        yield from (slots.PLACE.sub("", text) for text in (*tool.requests, tool.result, tool.answer))
        yield from _values(tool.slots)


def _unknown_texts(corpus: Corpus) -> Iterator[str]:
    for unknown in corpus.unknown.values():
        yield from (slots.PLACE.sub("", question) for question in unknown.questions)
        yield from _values(unknown.slots)


def _values(definitions: slots.Values) -> Iterator[str]:
    for values in definitions.values():
        if isinstance(values, list):
            yield from map(str, values)
