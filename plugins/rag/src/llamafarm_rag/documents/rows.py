"""Rows of tables as text that can be understood without the table."""

from __future__ import annotations

from collections.abc import Sequence


def row_text(names: Sequence[str], cells: Sequence[str]) -> str:
    """A row with the names of its columns: `name: Ann; town: Ely`. Empty cells are left out.

    Without names, the cells alone: `Ann | Ely`; cells beyond the names are numbered: `column 3: tall`.
    """
    values = [" ".join(cell.split()) for cell in cells]
    if not names:
        return " | ".join(value for value in values if value)
    heads = [*names, *(f"column {number}" for number in range(len(names) + 1, len(values) + 1))]
    return "; ".join(f"{head}: {value}" if head else value for head, value in zip(heads, values, strict=False) if value)


def names_of(rows: Sequence[Sequence[str]]) -> list[str]:
    """The names of the columns, where the first of several rows can be that: every cell another word, and no number."""
    if len(rows) < 2:
        return []
    names = [" ".join(cell.split()) for cell in rows[0]]
    are_names = len(names) > 1 and len(set(names)) == len(names) and all(names)
    return names if are_names and not any(_is_number(name) for name in names) else []


def _is_number(text: str) -> bool:
    try:
        float(text.replace(",", "."))
    except ValueError:
        return False
    return True
