"""The section `rag` of llamafarm.yaml."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from llamafarm_rag.config.databases import DatabaseOptions
from llamafarm_rag.config.processing import ProcessingStrategy


class RagSection(BaseModel):
    """The databases of a project, and how files become their chunks."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    databases: list[DatabaseOptions] = Field(min_length=1)
    default_database: str | None = Field(default=None, description="By default the first one.")
    data_processing_strategies: list[ProcessingStrategy] = Field(default_factory=list)

    @property
    def database(self) -> DatabaseOptions:
        """The database of whoever names none."""
        return next((one for one in self.databases if one.name == self.default_database), self.databases[0])

    @model_validator(mode="after")
    def _names_are_there(self) -> Self:
        names = [database.name for database in self.databases]
        _refuse_twice("database", names)
        _refuse_twice("data processing strategy", [one.name for one in self.data_processing_strategies])
        if self.default_database is not None and self.default_database not in names:
            raise ValueError(f"default_database is {self.default_database!r}; there are: {', '.join(names)}")
        return self


def _refuse_twice(what: str, names: Sequence[str]) -> None:
    if twice := [name for name in names if names.count(name) > 1]:
        raise ValueError(f"there are two of the {what} {twice[0]!r}")
