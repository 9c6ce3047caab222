"""The section `datasets` of llamafarm.yaml."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field, RootModel

from llamafarm_rag.config.names import Name


class Dataset(BaseModel):
    """Files that belong together, in one database."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: Name
    database: str | None = Field(default=None, description="By default the default one.")
    data_processing_strategy: str | None = Field(default=None, description="By default the first one, or our own.")
    sources: list[str] = Field(
        default_factory=list,
        description="Files, folders and patterns, beside those that `lf datasets add` names. Relative ones count from "
        "llamafarm.yaml.",
    )
    auto_process: bool = Field(default=True, description="Whether `lf datasets add` reads them at once.")
    handler: str | list[str] | None = Field(default=None, description="The handlers of questions on it, behind `rag`.")
    prompts: list[str] = Field(default_factory=list, description="The prompt sets of questions on it.")

    @property
    def handlers(self) -> list[str]:
        """The names of `handler`, the outermost first."""
        return [self.handler] if isinstance(self.handler, str) else list(self.handler or ())


class Datasets(RootModel[list[Dataset]]):
    """The datasets of a project."""

    model_config = ConfigDict(frozen=True)
