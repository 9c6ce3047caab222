"""Errors about databases and documents, each with what helps."""

from __future__ import annotations

from llamafarm.errors import LlamaFarmError, UsageError


class DatabaseError(LlamaFarmError):
    """A database cannot be used as it is: it is empty, half-built, broken, or held by another process."""

    default_status = 503


class DimensionMismatch(DatabaseError):
    """Vectors of one length, where others are expected."""

    default_status = 409


class StoreDamaged(DatabaseError):
    """The files of a store cannot be read; whoever has its rows elsewhere can make it anew."""


class UnreadableFile(UsageError):
    """A file that cannot be read as what it should be. It is a row of the report, and not the end."""
