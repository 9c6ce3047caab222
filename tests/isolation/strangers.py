"""Distributions of strangers, each broken in a way of its own, and what LlamaFarm should say about it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from wheels import write_wheel

PROVIDER = """
import llamafarm

class Entry(llamafarm.ModelEntry):
    pass

def spec(name):
    return llamafarm.ProviderSpec(
        name=name, summary="never connected", entry=Entry, endpoint=lambda entry: None, connect=lambda endpoint: None
    )
"""
RAISES = """
@llamafarm.hookimpl
def register_providers():
    raise RuntimeError("the licence server said no")
"""
RAISES_HALFWAY = """
@llamafarm.hookimpl
def register_providers():
    yield spec("halfway")
    raise RuntimeError("half of it is missing")
"""
MISSPELT = """
@llamafarm.hookimpl
def register_provider():
    return [spec("misspelt")]
"""
WRONG_TYPE = """
@llamafarm.hookimpl
def register_providers():
    return {"wrongtype": spec("wrongtype")}
"""
TWIN = """
@llamafarm.hookimpl
def register_providers():
    return [spec("twin")]
"""
NOISY = """
import sys
print("Welcome to acme!")
sys.stdout.write("\\x1b[1m")

@llamafarm.hookimpl
def register_providers():
    print("registering acme")
    return [spec("noisy")]
"""


@dataclass(frozen=True)
class Stranger:
    """One distribution `acme-NAME`. asked: a provider that cannot be had because of it. cause: what the user reads."""

    name: str
    source: str
    status: str
    cause: str
    plugin: str = ""
    asked: str = ""
    version: str = "1.0"
    requires: str = "llamafarm>=0.1"

    @property
    def distribution(self) -> str:
        return f"acme-{self.name}"

    @property
    def entry_point(self) -> str:
        return self.plugin or self.name

    @property
    def provider(self) -> str:
        return self.asked or self.name

    def wheel(self, folder: Path) -> Path:
        module = f"acme_{self.name}"
        return write_wheel(
            folder,
            self.distribution,
            {f"{module}/__init__.py": "", f"{module}/plugin.py": self.source},
            version=self.version,
            plugins={self.entry_point: f"{module}.plugin"},
            requires=[self.requires],
        )


BROKEN = [
    Stranger("absent", "import no_such_module", "failed", "ModuleNotFoundError: No module named 'no_such_module'"),
    Stranger("exits", "raise SystemExit('no licence')", "failed", "it called sys.exit('no licence') on import"),
    Stranger("raises", PROVIDER + RAISES, "failed", "RuntimeError: the licence server said no (in register_providers"),
    Stranger("halfway", PROVIDER + RAISES_HALFWAY, "failed", "RuntimeError: half of it is missing (in register_provid"),
    Stranger("misspelt", PROVIDER + MISSPELT, "failed", "unknown hook 'register_provider'"),
    Stranger(
        "wrongtype", PROVIDER + WRONG_TYPE, "failed", "a value of type str at position 0; a ProviderSpec was expe"
    ),
    Stranger("tooold", PROVIDER, "incompatible", "it requires llamafarm>=9, but llamafarm 0", requires="llamafarm>=9"),
    Stranger("toonew", PROVIDER, "incompatible", "it requires llamafarm<0.1, but llamafarm", requires="llamafarm<0.1"),
    Stranger("left", PROVIDER + TWIN, "conflict", "'twin' is also brought by acme-right 2.0", asked="twin"),
    Stranger(
        "right", PROVIDER + TWIN, "conflict", "'twin' is also brought by acme-left 1", asked="twin", version="2.0"
    ),
    Stranger("here", "raise SystemExit('imported')", "conflict", "each have a plugin named 'same'", "same", "same"),
    Stranger("there", "raise SystemExit('imported')", "conflict", "each have a plugin named 'same'", "same", "same"),
]
STUCK = Stranger(
    "stuck", "import threading; threading.Event().wait()", "failed", "it took longer than 2 seconds on import"
)
LOUD = Stranger("noisy", PROVIDER + NOISY, "active", "")
