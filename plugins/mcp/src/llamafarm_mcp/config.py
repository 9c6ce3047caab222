"""The section `mcp_servers` of llamafarm.yaml."""

from __future__ import annotations

from typing import Annotated, Self

import llamafarm
from pydantic import (
    AfterValidator,
    AnyHttpUrl,
    BaseModel,
    ConfigDict,
    Field,
    RootModel,
    StringConstraints,
    model_validator,
)

OF_A_PROGRAM = ("args", "env", "cwd")
OF_AN_ADDRESS = ("headers",)

Name = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$", max_length=100)]


class McpServer(BaseModel):
    """One server: a program that LlamaFarm starts (`command`), or one that is reached over HTTP (`url`)."""

    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        json_schema_extra={
            "examples": [
                {"command": "python", "args": ["-m", "cows"], "env": {"BARN": "red"}},
                {"url": "http://127.0.0.1:9/mcp", "headers": {"Authorization": "Bearer moo"}},
            ]
        },
    )

    command: str | None = Field(default=None, min_length=1, description="The program; it speaks over stdin and stdout.")
    args: list[str] = Field(default_factory=list, description="Its arguments.")
    env: dict[str, str] = Field(default_factory=dict, description="Its environment, beside HOME, PATH and the like.")
    cwd: Annotated[str, AfterValidator(llamafarm.beside_config)] | None = Field(
        default=None, description="Its working directory; that of llamafarm.yaml by default."
    )
    url: AnyHttpUrl | None = Field(default=None, description="The address of its endpoint (streamable HTTP).")
    headers: dict[str, str] = Field(default_factory=dict, description="Sent with every request.")
    connect_timeout: float = Field(default=30.0, gt=0, description="Seconds that its first answer may take.")

    @model_validator(mode="after")
    def _one_kind(self) -> Self:
        if (self.command is None) == (self.url is None):
            raise ValueError("a server has either a `command` that starts it or a `url` where it is")
        foreign = OF_A_PROGRAM if self.command is None else OF_AN_ADDRESS
        if given := [name for name in foreign if name in self.model_fields_set and getattr(self, name)]:
            other = "command" if self.command is None else "url"
            raise ValueError(f"`{given[0]}` belongs to a server with `{other}`")
        return self


class McpServers(RootModel[dict[Name, McpServer]]):
    """The servers by their names."""

    model_config = ConfigDict(frozen=True)
