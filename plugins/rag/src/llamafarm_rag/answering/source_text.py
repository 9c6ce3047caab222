r"""A source's text as a model may see it: all that it says, and nothing that could be taken for control.

Runtimes differ in what they make of special tokens in messages: the Universal Runtime keeps them text, others read
`<|im_end|>` in a document as the end of a turn. So what chat templates know (`<|…|>`, `<start_of_turn>`, `[INST]`,
`<<SYS>>`, `</s>`, places of pictures), what begins a turn in templates without special tokens (`Assistant:` at the
beginning of a line), lines like those of our own frame, and marks like `[2]` are written with other characters.
Characters that nobody sees are left out: they hide words from people, and tokens from whoever looks for them. Joiners
stay where letters of scripts and pictographs need them.
"""

from __future__ import annotations

from functools import lru_cache

import regex

from llamafarm_rag.answering.marks import MarkReader, Segment, holds_marks

_UNSEEN = regex.compile(
    r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x84\x86-\x9f\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180e\u200b\u200e\u200f"
    r"\u202a-\u202e\u2060-\u206f\u3164\ufeff\uffa0\ufff9-\ufffb\U000e0000-\U000e0fff\p{Cs}\p{Co}]+"
    r"|(?<![^\x00-\x7f])[\u200c\u200d\ufe00-\ufe0f]+|[\u200c\u200d]+(?![^\x00-\x7f])"
)
"""Controls, directions, fillers, tags and variation selectors; joiners beside plain ASCII."""
_LINE_ENDS = regex.compile("\r\n?|[\u0085\u2028\u2029]")
_OPEN, _CLOSE, _BAR = "[<\ufe64\uff1c]", "[>\ufe65\uff1e]", "[|\uff5c]"
_BARRED = regex.compile(rf"{_OPEN}(?=\s{{0,2}}{_BAR})")
_NAMES = (
    "s|bos|eos|pad|unk|mask|sep|cls|sop|eop|image|img|video|audio|box|think|thinking|thought|tools?|functions?"
    "|system|user|assistant|human|bot|model|developer|instructions?|sources?|context|documents?|conversation|prompt"
)
_TAG = regex.compile(rf"{_OPEN}(/?(?:{_NAMES}|[a-z0-9]+_[a-z0-9_]+|unused\d+)\b[^<>\n]{{0,80}}){_CLOSE}", regex.I)
_LLAMA = regex.compile(rf"{_OPEN}{{2}}(\s{{0,2}}/?\s{{0,2}}SYS\s{{0,2}}){_CLOSE}{{2}}", regex.I)
_MISTRAL = regex.compile(
    r"[\[［【](/?(?:INST|SYS|SYSTEM_PROMPT|AVAILABLE_TOOLS|TOOL_CALLS|TOOL_RESULTS|TOOL_CONTENT|CALL_ID|ARGS|THINK|IMG|IMG_BREAK"
    r"|IMG_END|AUDIO|BEGIN_AUDIO|PREFIX|MIDDLE|SUFFIX|CLS|SEP|MASK|PAD|UNK|BOS|EOS|gMASK|sMASK))[\]］】]",
    regex.I,
)
_MINIMAX = regex.compile(r"\[e~\[|\]~!?b\[|\]~b\]", regex.I)
_TURN = regex.compile(
    r"^(?=\*{0,2}(?:system|assistant|user|human)\*{0,2}[ \t]*[:：]"
    r"|#{1,6}[ \t]*(?:system|assistant|user|human|instruction|response|input)[ \t]*[:：])",
    regex.I | regex.M,
)
_DASH = r"[-\u2010-\u2015\u2212\ufe58\ufe63\uff0d]"
_RULE = regex.compile(rf"{_DASH}{{3,}}(?=[ \t]*(?:END\b|SOURCES?\b|\w[\w \t]{{0,60}}{_DASH}{{3,}}))", regex.I)
_SPACES = regex.compile(r"\s+")
_ROUND = str.maketrans("[]【】［］", "()()()")


@lru_cache(maxsize=256)
def harmless(text: str) -> str:
    """The text with nothing in it that a model, its template or a reader of marks could take for ours."""
    text = _LINE_ENDS.sub("\n", _UNSEEN.sub("", text))
    text = _LLAMA.sub(r"‹‹\1››", text)
    text = _TAG.sub(r"‹\1›", _BARRED.sub("‹", text))
    text = _MISTRAL.sub(r"(\1)", _MINIMAX.sub(lambda found: found[0].translate(_ROUND), text))
    text = _TURN.sub("> ", _RULE.sub("…", text))
    return "".join(map(_unmarked, MarkReader().read(text, last=True))) if holds_marks(text) else text


def harmless_line(text: str) -> str:
    """The same of a name, in one line."""
    return harmless(_SPACES.sub(" ", text).strip())


def _unmarked(segment: Segment) -> str:
    """`[2]` of a document is `(2)`: it counts something of its own."""
    text = segment.text.translate(_ROUND) if segment.kind == "mark" else segment.text
    return segment.blank + text
