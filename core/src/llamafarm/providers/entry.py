"""One model entry of llamafarm.yaml, as far as every provider understands it."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, PrivateAttr, SecretStr, ValidationInfo

if TYPE_CHECKING:
    from llamafarm.wire.operations import Operation

InstructorMode = Literal["tools", "tools_strict", "parallel_tools", "json", "json_schema", "md_json"]
"""How structured output is asked for of a model."""

PromptsMode = Literal["config_only", "api_replace", "api_supplement"]
"""What becomes of system messages of requests: left out, in place of the configuration's, or behind them."""

Scalar = str | bool | int | float
Variables = dict[Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")], Scalar]
"""Values of the variables in prompts, by their names."""

CONFIG_FOLDER = "folder"
"""Under this name the validation context holds the folder of llamafarm.yaml."""


def beside_config(path: str, info: ValidationInfo) -> str:
    """A validator for fields of llamafarm.yaml that name a file or a folder: returns the whole path; links stay.

    A relative path counts from the folder of llamafarm.yaml, wherever the command runs; `~` is the home folder. Used as
    `Annotated[str, AfterValidator(beside_config)]`, in the models of entries, blocks, sections and handler options.
    """
    folder = (info.context or {}).get(CONFIG_FOLDER, "")
    return os.path.abspath(os.path.join(folder, os.path.expanduser(path)))  # noqa: PTH100, PTH111, PTH118 - links stay


def chain(handler: Any) -> tuple[str, ...]:
    """The names in `handler`, which is one, or a list of them, or wrong."""
    names = handler if isinstance(handler, list) else [handler]
    return tuple(name for name in names if isinstance(name, str))


class Timeouts(BaseModel):
    """Time limits of one call, in seconds; None means no limit."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    connect: float = Field(default=5.0, gt=0)
    first_byte: float | None = Field(
        default=600.0, gt=0, description="From the request to the first byte of the answer."
    )
    between_bytes: float | None = Field(default=120.0, gt=0, description="Longest silence inside an answer.")
    total: float | None = Field(default=None, gt=0)


class ModelEntry(BaseModel):
    """One item of `runtime.models`. Each provider extends it with the fields of its own; unknown keys are errors."""

    model_config = ConfigDict(extra="forbid", frozen=True, protected_namespaces=())

    name: str = Field(min_length=1, description="The name that requests and `--model` use.")
    provider: str = Field(min_length=1, description="The provider that executes it: `lf plugins list` names them.")
    model: str = Field(min_length=1, description="The runtime's own id of the model.")
    description: str | None = None
    default: bool = Field(default=False, description="Use this entry where a request names none, if it can.")
    base_url: str | None = Field(
        default=None, description="Address of the runtime; `/v1` is added where the path is empty."
    )
    api_key: SecretStr | None = None
    handler: str | list[str] | None = Field(default=None, description="Agent handler, or a chain of them.")
    handler_options: dict[str, dict[str, Any]] = Field(
        default_factory=dict,
        description="Options of agent handlers for this entry, by the handler's name, over those in `handlers`.",
    )
    allow_handlers: list[str] = Field(
        default_factory=list, description="Agent handlers that a request may choose instead of the entry's own."
    )
    prompts: list[str] = Field(default_factory=list, description="Names of prompt sets; none means all.")
    prompts_mode: PromptsMode = Field(
        default="api_supplement",
        description="What becomes of system messages of requests: they are left out (config_only), stand in the place "
        "of those of prompt sets (api_replace), or follow them (api_supplement).",
    )
    variables: Variables = Field(
        default_factory=dict, description="Values of {{variables}} in prompt sets, over those of the project."
    )
    prompt_format: Literal["unstructured", "structured"] | None = Field(
        default=None, description="Short for `handler`: unstructured is simple, structured is structured."
    )
    instructor_mode: InstructorMode | None = Field(default=None, description="How structured output is asked for.")
    model_api_parameters: dict[str, Any] = Field(
        default_factory=dict, description="Parameters of every request; a request's own win."
    )
    extra_body: dict[str, Any] = Field(
        default_factory=dict, description="Further fields of every request, beyond the OpenAI wire."
    )
    timeouts: Timeouts = Field(default_factory=lambda: Timeouts())

    _blocks: dict[str, BaseModel] = PrivateAttr(default_factory=dict)
    _options: dict[str, BaseModel] = PrivateAttr(default_factory=dict)

    @property
    def blocks(self) -> Mapping[str, BaseModel]:
        """The blocks that plugins add to an entry (`EntryBlock`), by their key, validated."""
        return self._blocks

    @property
    def validated_options(self) -> Mapping[str, BaseModel]:
        """`handler_options` over those of the project, by the handler's name, validated: see `Project.options_of`."""
        return self._options

    def serves(self, operation: Operation) -> bool | None:  # noqa: ARG002 - for those that know
        """Whether the entry is for that operation, as far as the file says it; None where it does not.

        It decides which entry a request without `model` gets.
        """
        return None

    def takes(self, kind: str) -> bool | None:  # noqa: ARG002 - for those that know
        """Whether messages may hold an `image`, `audio` or `video`, as far as is known without asking the runtime.

        It decides which entry a conversation without `model` gets that holds some.
        """
        return None

    def remarks(self) -> Iterable[tuple[str, str]]:
        """What is allowed and will yet not do what it says: (key, message) of each, told by `lf config validate`.

        A provider's entry says what it knows without asking anybody.
        """
        return ()

    def variants(self) -> Iterable[ModelEntry]:
        """The entries that come with this one, such as its model with each of some adapters; see `variant`.

        Each is a model of the project in its own right. A provider's entry says which there are.
        """
        return ()

    def variant(self, name: str) -> Self:
        """A copy of the entry that is called `ENTRY:NAME`, and is nobody's default."""
        return self.model_copy(update={"name": f"{self.name}:{name}", "default": False})

    @property
    def own_files(self) -> str:
        """The runtime's own id of the files that are deleted with the entry: those of a variant are not its model's."""
        return self.model

    @property
    def handlers(self) -> tuple[str, ...]:
        """The handler chain that the entry names; empty where it names none."""
        return chain(self.handler)
