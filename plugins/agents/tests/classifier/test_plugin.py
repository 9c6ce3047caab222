"""What is wrong with a configuration before anybody is asked."""

from __future__ import annotations

import llamafarm
import pytest
from llamafarm.errors import ConfigError
from llamafarm.project import BrokenEntry, Project
from llamafarm.wire import CHAT, CLASSIFY, EMBEDDINGS
from llamafarm_agents.classifier.options import ClassifierOptions
from llamafarm_agents.classifier.plugin import check


class Entry(llamafarm.ModelEntry):
    """An entry that says what it is for."""

    def serves(self, operation):
        return {"chats": operation is CHAT, "vectors": operation is EMBEDDINGS, "sorter": operation is CLASSIFY}.get(
            self.model
        )


ENTRIES = {name: Entry(name=name, provider="p", model=name) for name in ("chats", "vectors", "sorter", "unknown")}
BROKEN = BrokenEntry("broken", "p", "m", ConfigError("No."))
PROJECT = Project("farm", "default", None, (*ENTRIES.values(), BROKEN))
TWO = ["good", "bad"]
TOLD = {"good": "Praise.", "bad": "Complaints."}


@pytest.mark.parametrize(
    ("entry", "options", "problem"),
    [
        ("chats", {"labels": TWO}, None),
        ("unknown", {"labels": TWO}, None),
        ("chats", {"labels": TOLD, "model": "vectors"}, None),
        ("chats", {"labels": TWO, "model": "broken"}, None),
        ("sorter", {}, None),
        ("chats", {}, "needs `labels`: two or more"),
        ("chats", {"labels": TWO, "method": "classify"}, "the model 'chats' (chats) cannot do classify"),
        ("chats", {"labels": TWO, "model": "vectrs"}, "no model 'vectrs'"),
        ("chats", {"labels": TWO, "model": "vectors"}, "a description or `examples` of each class; good, bad has none"),
        (
            "chats",
            {"labels": TWO, "model": "vectors", "method": "decoding"},
            "'vectors' (vectors) cannot do chat",
        ),
    ],
)
def test_what_the_file_lacks_is_told(entry, options, problem):
    found = [*check(ClassifierOptions.model_validate(options), PROJECT, ENTRIES[entry])]
    assert bool(found) == bool(problem)
    assert problem is None or problem in found[0]
