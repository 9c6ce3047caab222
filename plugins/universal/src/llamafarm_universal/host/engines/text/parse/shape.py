"""How models write calls, as data: what a grammar makes an answer keep to, and what calls are read by."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, replace
from functools import cached_property

from llamafarm_universal.host.engines.text.parse.json_text import ends_in_string

NAME = "NAME"
KEY = "KEY"


@dataclass(frozen=True)
class Elements:
    """Arguments that stand one after the other, each between marks; texts among them without quotes.

    open: what is before a value, with KEY for the argument's name; a space in it is some white space, or none. close:
    what is behind it. padding: white space that the templates of these models put around each value.
    """

    open: str
    close: str
    padding: str = ""

    @property
    def lead(self) -> str:
        """What each argument begins with."""
        return self.open.partition(KEY)[0]

    @cached_property
    def pattern(self) -> re.Pattern[str]:
        return re.compile(_spaced(self.open).replace(KEY, r"([^<>\n]+?)"))


@dataclass(frozen=True)
class BareKeys:
    """Arguments that are an object as of JSON, but for keys without quotes, and texts between two of one mark."""

    quote: str


@dataclass(frozen=True)
class CallShape:
    """The texts around a call's name and its arguments.

    mark, open: what calls begin with. head: what each begins with, up to its arguments, with NAME for the tool's name.
    tail: what is behind the arguments. between: what stands between two calls of one mark; None: each has its own.
    close: what ends the calls. A space in these texts is some white space, or none. bare: whether calls may do without
    their mark. ends_answer: whether nothing can be said behind calls. notation: how the arguments are written; None:
    as a JSON object.
    """

    mark: str
    open: str
    head: str
    tail: str
    close: str = ""
    between: str | None = None
    bare: bool = False
    ends_answer: bool = False
    notation: Elements | BareKeys | None = None

    def written(self, name: str) -> str:
        """A tool's name as it stands in the head."""
        return json.dumps(name, ensure_ascii=False)[1:-1] if self._names_in_quotes else name

    def name_in(self, text: str, *, at_once: bool = False) -> tuple[str, int] | None:
        """The name in the first head of a text, and where the arguments begin; None while there is no whole head.

        at_once: the text has to begin with it, but for white space.
        """
        match = self._pattern.search(text)
        if match and at_once and text[: match.start()].strip():
            return None
        if match is None:
            return None
        return str(json.loads(f'"{match[1]}"') if self._names_in_quotes else match[1]), match.end()

    def ends_within(self, text: str) -> bool:
        """Whether a text, of one call or several, breaks off within the text of an argument."""
        match self.notation:
            case Elements(close=close) as elements if not text.lstrip().startswith(_JSON_BEGINS):
                return text.rfind(elements.lead) > text.rfind(close)
            case BareKeys(quote) if text.count(quote):
                return text.count(quote) % 2 == 1
        return ends_in_string(text)

    def in_json(self) -> CallShape:
        """The same with arguments in JSON: what can be enforced of every schema, though the model writes otherwise."""
        if isinstance(self.notation, BareKeys):
            return replace(self, notation=None)
        return replace(self, open=" ", head=_JSON_HEAD, tail=" } ", notation=None) if self.notation else self

    @property
    def _names_in_quotes(self) -> bool:
        return f'"{NAME}"' in self.head

    @cached_property
    def _pattern(self) -> re.Pattern[str]:
        name = r'((?:[^"\\]|\\.)*)' if self._names_in_quotes else r"([^\s\[\]{}<>]+)"
        behind = r"(?=[\s<])" if isinstance(self.notation, Elements) else r"\s*(?=\{)"
        return re.compile(_spaced(self.head).replace(NAME, name) + behind, re.DOTALL)


def _spaced(text: str) -> str:
    """A pattern of a text in which a space is white space or none."""
    return r"\s*".join(re.escape(piece) for piece in text.split(" "))


_JSON_BEGINS = ("{", "[")
_JSON_HEAD = '{"name": "NAME", "arguments": '
HERMES = CallShape("<tool_call>", " ", _JSON_HEAD, " } ", close="</tool_call>")
QWEN_CODER = replace(
    HERMES, head="<function=NAME>", tail=" </function> ", notation=Elements("<parameter=KEY>", "</parameter>", "\n")
)
"""Of Qwen3-Coder, Qwen 3.5 and Nemotron 3."""
GLM = replace(
    HERMES, open="", head="NAME", tail=" ", notation=Elements("<arg_key>KEY</arg_key> <arg_value>", "</arg_value>")
)
"""Of GLM 4.5 and later."""
GEMMA = CallShape(
    "<start_function_call>", "", "call:NAME", "", close="<end_function_call>", notation=BareKeys("<escape>")
)
"""Of FunctionGemma."""
GEMMA_4 = CallShape("<|tool_call>", "", "call:NAME", "", close="<tool_call|>", notation=BareKeys('<|"|>'))
MISTRAL = CallShape("[TOOL_CALLS]", " [ ", _JSON_HEAD, " }", between=" , ", close=" ]", ends_answer=True)
MISTRAL_ARGS = CallShape("[TOOL_CALLS]", "", "NAME[ARGS] ", "", ends_answer=True)
LLAMA = CallShape(
    "<|python_tag|>", " ", '{"name": "NAME", "parameters": ', " }", between=" ; ", bare=True, ends_answer=True
)
DEEPSEEK = CallShape(
    "<｜tool▁calls▁begin｜>",
    "",
    "<｜tool▁call▁begin｜>NAME<｜tool▁sep｜>",
    "<｜tool▁call▁end｜>",
    between="",
    close="<｜tool▁calls▁end｜>",
    ends_answer=True,
)
DEEPSEEK_FENCED = replace(
    DEEPSEEK,
    head="<｜tool▁call▁begin｜>function<｜tool▁sep｜>NAME\n```json\n",
    tail="\n```<｜tool▁call▁end｜>",
    between="\n",
)
"""That of DeepSeek before V3.1."""
PLAIN = CallShape("<tool_call>", " ", _JSON_HEAD, " }", between=" ", bare=True, ends_answer=True)
"""For models whose templates know no tools: nothing but JSON."""
