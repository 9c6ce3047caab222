"""How models write calls, as data: what a grammar makes an answer keep to, and what a stream of it is read by."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, replace
from functools import cached_property

NAME = "NAME"


@dataclass(frozen=True)
class CallShape:
    """The texts around a call's name and its arguments, which are a JSON object.

    mark, open: what calls begin with. head: what each begins with, up to its arguments, with NAME for the tool's name.
    tail: what is behind the arguments. between: what stands between two calls of one mark; None: each has its own.
    close: what ends the calls. A space in these texts is some white space, or none. bare: whether calls may do without
    their mark. ends_answer: whether nothing can be said behind calls.
    """

    mark: str
    open: str
    head: str
    tail: str
    close: str = ""
    between: str | None = None
    bare: bool = False
    ends_answer: bool = False

    def written(self, name: str) -> str:
        """A tool's name as it stands in the head."""
        return json.dumps(name, ensure_ascii=False)[1:-1] if self._names_in_quotes else name

    def name_in(self, text: str) -> tuple[str, int] | None:
        """The name in the first head of a text, and where the arguments begin; None while there is no whole head."""
        match = self._pattern.search(text)
        if match is None:
            return None
        return str(json.loads(f'"{match[1]}"') if self._names_in_quotes else match[1]), match.end()

    @property
    def _names_in_quotes(self) -> bool:
        return f'"{NAME}"' in self.head

    @cached_property
    def _pattern(self) -> re.Pattern[str]:
        name = r'((?:[^"\\]|\\.)*)' if self._names_in_quotes else r"([^\s\[\]{}<>]+)"
        spaced = r"\s*".join(re.escape(piece) for piece in self.head.split(" "))
        return re.compile(spaced.replace(NAME, name) + r"\s*(?=\{)", re.DOTALL)


_JSON_HEAD = '{"name": "NAME", "arguments": '
HERMES = CallShape("<tool_call>", " ", _JSON_HEAD, " } ", close="</tool_call>")
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
