"""Whether the files of an index are those that Chroma has finished writing.

Chroma writes its index of vectors (HNSW) in place. A process that is killed meanwhile leaves files of which reading
ends any process by SIGSEGV, without a chance to say why. So after each write the sizes and times of the files are
noted beside them, and files that differ from the note are not opened.
"""

from __future__ import annotations

import json
import os
from pathlib import Path

NOTE = "written.json"

Written = dict[str, tuple[int, int]]
"""The size in bytes and the time, in nanoseconds since 1970, of each file of the index."""


class IndexFiles:
    """The index files of one folder of Chroma."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._note = folder / NOTE
        self._noted: Written | None = None

    def are_whole(self) -> bool:
        """Whether they are what was noted last; a folder without an index is."""
        written = self._written()
        try:
            noted = json.loads(self._note.read_text(encoding="utf-8"))
            self._noted = {name: (size, time) for name, (size, time) in noted.items()}
        except (OSError, ValueError, TypeError, AttributeError):
            return not written
        return self._noted == written

    def note(self) -> None:
        """Note how they are now, after a write that is done."""
        if (written := self._written()) == self._noted:
            return
        fresh = self._note.with_suffix(".new")
        with fresh.open("w", encoding="utf-8") as file:
            json.dump(written, file)
            file.flush()
            os.fsync(file.fileno())
        fresh.replace(self._note)
        self._noted = written

    def _written(self) -> Written:
        """Chroma keeps an index in a folder of its own, named by a UUID."""
        files = (file for file in self._folder.glob("*-*-*-*-*/*") if file.is_file())
        facts = {str(file.relative_to(self._folder)): file.stat() for file in files}
        return {name: (fact.st_size, fact.st_mtime_ns) for name, fact in sorted(facts.items())}
