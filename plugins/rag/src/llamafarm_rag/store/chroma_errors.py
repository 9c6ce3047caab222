"""What Chroma raises, as errors that say what helps."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager

import httpx
from chromadb.errors import ChromaAuthError, ChromaError, InvalidDimensionException

from llamafarm_rag.errors import DatabaseError, DimensionMismatch, StoreDamaged


@contextmanager
def chroma_errors(place: str, *, on_disk: bool) -> Iterator[None]:
    """Raise Chroma's errors as DatabaseError: StoreDamaged where its files cannot be read. place: for people."""
    try:
        yield
    except InvalidDimensionException as error:
        raise _mismatch(place, error) from error
    except ChromaAuthError as error:
        raise DatabaseError(f"{place} refuses us.", hint="Ask who runs it how it lets programs in.") from error
    except (httpx.HTTPError, ConnectionError) as error:
        raise _unreachable(place, error) from error
    except (ChromaError, sqlite3.Error, OSError, ValueError) as error:
        raise _failed(place, error, on_disk) from error
    except BaseException as error:
        if type(error).__name__ != "PanicException":  # Rust's, which is no Exception
            raise
        raise _failed(place, error, on_disk) from None


def _failed(place: str, error: BaseException, on_disk: bool) -> DatabaseError:
    if "dimension" in str(error):
        return _mismatch(place, error)
    if "Could not connect" in str(error):
        return _unreachable(place, error)
    text = f"{place} fails: {type(error).__name__}: {error}"
    if on_disk:
        return StoreDamaged(text, hint="`lf rag rebuild DATABASE` makes it anew; nothing was deleted.")
    return DatabaseError(text, hint="Its log says more.")


def _mismatch(place: str, error: BaseException) -> DimensionMismatch:
    hint = "`lf rag rebuild DATABASE` embeds its files anew with the model that llamafarm.yaml names."
    return DimensionMismatch(f"{place} has vectors of another length: {error}", hint=hint)


def _unreachable(place: str, error: BaseException) -> DatabaseError:
    why = str(error) or type(error).__name__
    return DatabaseError(f"{place} cannot be reached: {why}", hint="Start it: `chroma run --path FOLDER --port PORT`.")
