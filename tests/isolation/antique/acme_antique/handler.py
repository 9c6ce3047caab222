"""The agent handler: puts the words of its options and of its section around what the user says."""

from __future__ import annotations

from typing import Any

import llamafarm

from acme_antique.config import AntiqueOptions, AntiqueSection


class AntiqueHandler:
    def __init__(self, options: AntiqueOptions) -> None:
        self._options = options

    async def run(self, turn: llamafarm.Turn, ask: llamafarm.Ask) -> llamafarm.Reply:
        section: Any = turn.project.sections.get("antique", AntiqueSection())
        *before, last = turn.request["messages"]
        please = "please " if turn.fields.get("politely") else ""
        said: Any = {**last, "content": f"{self._options.before}{please}{last['content']}{section.after}"}
        return await ask(turn.with_messages([*before, said]))
