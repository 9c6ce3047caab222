"""The table of servers: what each does differently. A new server is a new row, and its name in `ProfileName`;
each row says how its facts are known.

A field that changes the answer and that a server ignores without a word is refused, with the values taken that ask for
nothing else than what the server does anyway. One that has no effect is left out and named in `X-LF-Ignored`.
"""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import urlsplit

from llamafarm import Field, Parameters
from llamafarm.wire import CLASSIFY

from llamafarm_openai_compat.profile import Hint, Profile, ProfileName, Rows, Structured

_TEXT = ({"type": "text"},)
_NOT_KEPT = Field("advisory", "the server keeps nothing and tells users not apart")


def _refused(why: str, **fields: tuple[object, ...]) -> Mapping[str, Field]:
    """Fields that are refused for one reason, each with the values that are taken all the same."""
    return {name: Field("refused", why, taken) for name, taken in fields.items()}


def _texts(fields: Mapping[str, Field]) -> Mapping[str, Field]:
    """The fields where texts are asked for; elsewhere the same names mean something else."""
    return {f"{operation}.{name}": field for operation in ("chat", "completions") for name, field in fields.items()}


OPENAI = Profile(
    name="openai",
    title="OpenAI",
    source="OpenAI's API reference [documents]; fields and retries: the Python client 3.3.0 [source]",
    hosts=frozenset({"api.openai.com"}),
    key="OPENAI_API_KEY",
    structured=Structured("json_schema", "`json_schema` with `strict: true` holds the schema; `json_object` is taken"),
)

_GUIDED = (
    "guided_json",
    "guided_regex",
    "guided_choice",
    "guided_grammar",
    "guided_decoding_backend",
    "guided_whitespace_pattern",
)
_NO_GUIDED = Field(
    "refused",
    "vLLM has it no more since 0.12 and would answer unconstrained; "
    "`structured_outputs` with `json`, `regex`, `choice` or `grammar` is the field today",
)
VLLM = Profile(
    name="vllm",
    title="vLLM",
    source="vLLM 0.32 [run]; `owned_by`, `best_of`, `/classify`: its source; `reasoning`: its documents",
    owned_by=frozenset({"vllm"}),
    structured=Structured(
        "json_schema",
        "`json_schema`, `json_object` and `structured_outputs` are held to; arguments of tools only with "
        "`strict: true`, and a tool that is named ends with `stop`",
    ),
    parameters=Parameters(
        fields={
            **_texts(dict.fromkeys(_GUIDED, _NO_GUIDED)),
            **_refused(
                "vLLM does not know it and ignores it",
                best_of=(1,),
                candidate_labels=(),
                hypothesis_template=(),
                multi_label=(False,),
                **{"embeddings.input_type": ()},
            ),
        }
    ),
    reasoning=("reasoning", "reasoning_content"),
    at_root=frozenset({CLASSIFY.name}),
    hints=(
        Hint(
            "Start vLLM with --enable-auto-tool-choice and --tool-call-parser NAME, or send no `tools`.",
            words="--enable-auto-tool-choice",
        ),
    ),
)

LM_STUDIO = Profile(
    name="lm-studio",
    title="LM Studio",
    source="LM Studio 0.4 [documents]; `owned_by`: answers shown by its users; `logprobs`: lmstudio-ai/lms#60; "
    "`tool_choice`: lmstudio-bug-tracker#670",
    owned_by=frozenset({"organization_owner"}),
    structured=Structured(
        "json_schema",
        "`json_object`, which it refuses, is sent as a schema of any object; `tool_choice` cannot name a function",
        as_schema=True,
    ),
    parameters=Parameters(
        fields=_refused(
            "LM Studio answers without log probabilities, whatever is asked", logprobs=(False,), top_logprobs=(0,)
        )
    ),
    reasoning=("reasoning", "reasoning_content"),
    models="/api/v0/models",
    hints=(
        Hint(
            "LM Studio takes `json_schema` and `text`: set `profile: lm-studio`.", words="'response_format.type' must"
        ),
        Hint(
            "LM Studio takes `none`, `auto` and `required`; a `response_format` of type `json_schema` needs no tools.",
            words="invalid tool_choice type",
        ),
        Hint("LM Studio cannot do this operation.", words="unexpected endpoint or method"),
    ),
)

TOGETHER = Profile(
    name="together",
    title="Together",
    source="Together's pages on error codes, rate limits, structured outputs and models [documents]",
    hosts=frozenset({"api.together.ai", "api.together.xyz"}),
    key="TOGETHER_API_KEY",
    structured=Structured(
        "json_schema", "`json_schema` for models that have it; the prompt should show the schema too"
    ),
    reasoning=("reasoning", "reasoning_content"),
    hints=(
        Hint("The account has reached its spending limit; waiting does not help.", status=402),
        Hint("The limit follows your own use: send requests evenly, and fewer at once.", status=429),
        Hint("The model has more requests than it can take; your own rate is not the cause. Try again.", status=503),
        Hint("Together names models as `organisation/model`.", status=404),
    ),
)

LLAMA_CPP = Profile(
    name="llama.cpp",
    title="llama.cpp's server",
    source="llama-server [run]; `owned_by`, `Server`, `meta`: its source; `dimensions`: run through Lemonade 11.7",
    owned_by=frozenset({"llamacpp"}),
    server="llama.cpp",
    structured=Structured("json_schema", "`json_schema` and `json_object` are held to by a grammar"),
    parameters=Parameters(
        fields={
            **_refused("the vectors of llama.cpp come in the model's own length, whatever is asked", dimensions=()),
            **_refused("llama.cpp embeds queries and documents alike", **{"embeddings.input_type": ()}),
        }
    ),
    reasoning=("reasoning_content",),
    health="/health",
    hints=(
        Hint("Start the server with --embeddings.", words="does not support embeddings"),
        Hint("Start the server with --reranking and a model that ranks.", words="does not support reranking"),
        Hint("Start the server with --jinja, or send no `tools`.", words="--jinja"),
        Hint("The server is still loading its model; try again.", words="loading model", status=503),
    ),
)

_USE_TOOLS = "; a tool with the schema as its `parameters` asks for the same"
_ANTHROPIC = "Anthropic's compatible endpoint ignores it"
ANTHROPIC = Profile(
    name="anthropic",
    title="Anthropic's compatible endpoint",
    source="Anthropic's page on the OpenAI SDK [documents; not run]",
    hosts=frozenset({"api.anthropic.com"}),
    key="ANTHROPIC_API_KEY",
    structured=Structured(
        "tools",
        "`response_format` is ignored, so it is refused; `strict` of a tool is ignored and named: check the answer",
        strict=False,
    ),
    parameters=Parameters(
        fields={
            "chat.response_format": Field("refused", _ANTHROPIC + _USE_TOOLS, _TEXT),
            **_refused(
                _ANTHROPIC,
                seed=(),
                presence_penalty=(0,),
                frequency_penalty=(0,),
                logit_bias=({},),
                logprobs=(False,),
                top_logprobs=(0,),
                reasoning_effort=("none",),
            ),
            "chat.modalities": Field("refused", _ANTHROPIC, (["text"],)),
            "chat.audio": Field("refused", _ANTHROPIC),
            **dict.fromkeys(("user", "metadata", "store"), Field("advisory", _ANTHROPIC)),
            **dict.fromkeys(("chat.prediction", "chat.service_tier"), Field("advisory", _ANTHROPIC)),
        }
    ),
    limits={"temperature": 1.0},
    parts={"input_audio": "is left out of the prompt without a word"},
    hints=(Hint("Anthropic is overloaded; try again later.", status=529),),
)


def _lists_the_cache(rows: Rows, server: str) -> bool:
    """Whether each row is a model of the hub's cache: owned by the author in its id, created when its file was."""
    return bool(rows) and server.lower().startswith("uvicorn") and all(map(_is_cached, rows))


def _is_cached(row: Mapping[str, object]) -> bool:
    author, slash, _ = str(row.get("id")).partition("/")
    return isinstance(row.get("created"), float) and row.get("owned_by") == (author if slash else "")


_SERVE = "`transformers serve` ignores it"
TRANSFORMERS_SERVE = Profile(
    name="transformers-serve",
    title="transformers serve",
    source="transformers 5.23 [run, source]",
    listed=_lists_the_cache,
    structured=Structured(
        "md_json", "`response_format` and `tool_choice` are ignored, so they are refused", strict=False
    ),
    parameters=Parameters(
        fields={
            "chat.response_format": Field("refused", _SERVE + "; the prompt can ask for JSON", _TEXT),
            **_texts(
                _refused(
                    _SERVE,
                    n=(1,),
                    best_of=(1,),
                    echo=(False,),
                    presence_penalty=(0,),
                    parallel_tool_calls=(True,),
                    reasoning_effort=(),
                    tool_choice=("auto",),
                    logprobs=(False,),
                    top_logprobs=(0,),
                )
            ),
            **_refused(
                _SERVE,
                **{
                    "chat.functions": (),
                    "chat.function_call": (),
                    "chat.web_search_options": (),
                    "chat.verbosity": (),
                    "chat.audio": (),
                    "chat.modalities": (["text"],),
                },
            ),
            **dict.fromkeys(("chat.prediction", "chat.service_tier"), Field("advisory", _SERVE)),
            **_texts(dict.fromkeys(("user", "metadata", "store"), _NOT_KEPT)),
            **_refused(
                "`transformers serve` writes down what it hears, with no settings",
                **{
                    "transcriptions.language": (),
                    "transcriptions.prompt": ("",),
                    "transcriptions.response_format": ("json",),
                    "transcriptions.temperature": (0,),
                    "transcriptions.timestamp_granularities": (),
                    "transcriptions.include": (),
                    "transcriptions.chunking_strategy": (),
                },
            ),
        }
    ),
    reasoning=("reasoning_content",),
    health="/health",
    hints=(
        Hint("`transformers serve` knows only OpenAI's own fields.", words="unexpected fields in the request"),
        Hint("It takes numbers with a point only: -100.0, not -100.", words="`sequence_bias` has to be"),
    ),
)

GENERIC = Profile(
    name="generic",
    title="any other server",
    source="OpenAI's API reference [documents]; everything is sent as it is",
    structured=Structured("json", "everything is sent as it is"),
    reasoning=("reasoning", "reasoning_content"),
)

PROFILES: tuple[Profile, ...] = (
    OPENAI,
    VLLM,
    LM_STUDIO,
    TOGETHER,
    LLAMA_CPP,
    ANTHROPIC,
    TRANSFORMERS_SERVE,
    GENERIC,
)
_BY_NAME = {profile.name: profile for profile in PROFILES}
ASKED = tuple(profile for profile in PROFILES if profile.can_be_asked)
"""Those that a server must be asked for."""


def profile_named(name: ProfileName) -> Profile:
    """The row of that name."""
    return _BY_NAME[name]


def profile_at(base_url: str) -> Profile | None:
    """The profile that an address alone tells, over https; None for all others."""
    parts = urlsplit(base_url)
    if parts.scheme != "https" or parts.port not in (None, 443):
        return None
    return next((profile for profile in PROFILES if parts.hostname in profile.hosts), None)
