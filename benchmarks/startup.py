"""How much CPU time do commands take before they do anything, and how much more with fifty plugins installed?

Three budgets, in milliseconds of user and system time:

- `lf --help`, `lf --version`: 150 beyond `python -c pass`, also with a plugin that is broken; beside `llm --help`
- `lf --help` with 50 plugins installed that no configuration names: 20 more than without, and it shows their commands
- `lf plugins list` with them, which imports each and calls its hooks: 250 more than without
"""

from __future__ import annotations

import resource
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

from peers import environment

sys.path.append(str(Path(__file__).resolve().parents[1] / "tests"))

from throwaway import CORE, OPENAI, Environment
from wheels import write_wheel

BUDGET_MS = 150.0
PLUGINS = 50
HELP_BUDGET_MS = 20.0
LIST_BUDGET_MS = 250.0
ROUNDS = 15

PLUGIN = """
from __future__ import annotations
from collections.abc import Iterable
import llamafarm

class Entry(llamafarm.ModelEntry):
    colour: str = "green"

def endpoint(entry: Entry) -> llamafarm.Endpoint:
    return llamafarm.Endpoint(entry.provider, entry.base_url or "http://127.0.0.1:9/v1")

def connect(endpoint: llamafarm.Endpoint) -> llamafarm.Provider:
    raise NotImplementedError

@llamafarm.hookimpl
def register_providers() -> Iterable[llamafarm.ProviderSpec]:
    yield llamafarm.ProviderSpec(NAME, "For a measurement.", Entry, endpoint, connect)
"""
COMMAND = """
import click

@click.command()
def brew() -> None:
    click.echo("tea")
"""


def cpu_ms(commands: Mapping[str, list[str]]) -> dict[str, float]:
    """Return the least user+system milliseconds of ROUNDS runs of each: noise only ever adds, and it comes and goes,
    so that the commands take turns."""
    least = dict.fromkeys(commands, float("inf"))
    for _ in range(ROUNDS):
        for name, command in commands.items():
            before = resource.getrusage(resource.RUSAGE_CHILDREN)
            subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
            after = resource.getrusage(resource.RUSAGE_CHILDREN)
            took = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
            least[name] = min(least[name], took * 1000)
    return least


def installed(home: Path, *wheels: Path) -> Environment:
    """Return an environment with the core, the plugin `openai` and these wheels."""
    made = Environment(home)
    made.install(CORE, OPENAI, *wheels)
    return made


def broken(folder: Path) -> Path:
    """Write the wheel of a plugin that cannot be imported."""
    files = {"broken_plugin.py": "raise ImportError('this plugin is broken')\n"}
    return write_wheel(folder, "broken-plugin", files, plugins={"broken": "broken_plugin"})


def dummies(folder: Path) -> list[Path]:
    """Write the wheels of PLUGINS plugins, each with a provider and a command."""
    return [dummy(folder, f"dummy{number}") for number in range(PLUGINS)]


def dummy(folder: Path, name: str) -> Path:
    files = {
        f"{name}/__init__.py": "",
        f"{name}/plugin.py": PLUGIN.replace("NAME", repr(name)),
        f"{name}/command.py": COMMAND,
    }
    points = {"plugins": {name: f"{name}.plugin"}, "commands": {f"{name}-brew": f"{name}.command:brew"}}
    return write_wheel(folder, f"acme-{name}", files, **points)


def check_that_all_are_there(farm: Environment) -> None:
    """What is measured must have happened: each command is shown, each plugin was imported."""
    shown = farm.lf("--help").stdout
    assert shown.count("from acme-dummy") == PLUGINS, shown
    listed = farm.lf("plugins", "list").stdout
    assert listed.count(" active ") == PLUGINS + 2, listed


def beyond_python(few: Environment, with_broken: Environment) -> list[str]:
    """Print the first table; return what is over its budget."""
    llm = environment("llm")
    measured = cpu_ms(
        {
            "lf --help": [few.program("lf"), "--help"],
            "lf --version": [few.program("lf"), "--version"],
            "lf --help, a broken plugin": [with_broken.program("lf"), "--help"],
            "llm --help": [str(llm / "llm"), "--help"],
            "python": [few.program("python"), "-c", "pass"],
        }
    )
    bare = measured.pop("python")
    rows = {name: value - bare for name, value in measured.items()}
    print(f"{'command':<28} {'CPU ms beyond python':>20} {'of llm':>8}")
    for name, value in rows.items():
        print(f"{name:<28} {value:>20.0f} {value / rows['llm --help']:>8.2f}")
    return [name for name, value in rows.items() if name.startswith("lf") and value > BUDGET_MS]


def with_many(few: Environment, many: Environment) -> list[str]:
    """Print the second table; return what is over its budget."""
    budgets = {"--help": HELP_BUDGET_MS, "plugins list": LIST_BUDGET_MS}
    farms = {"without": few, "with": many}
    measured = cpu_ms(
        {f"{which} {name}": [farm.program("lf"), *name.split()] for name in budgets for which, farm in farms.items()}
    )
    print(f"\n{f'with {PLUGINS} plugins':<28} {'CPU ms':>8} {'without':>8} {'more':>8} {'budget':>8}")
    over = []
    for name, budget in budgets.items():
        without, loaded = measured[f"without {name}"], measured[f"with {name}"]
        print(f"{'lf ' + name:<28} {loaded:>8.0f} {without:>8.0f} {loaded - without:>8.0f} {budget:>8.0f}")
        over += [f"lf {name} with {PLUGINS} plugins"] if loaded - without > budget else []
    return over


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        few = installed(home / "few")
        with_broken = installed(home / "broken", broken(home))
        many = installed(home / "many", *dummies(home / "wheels"))
        check_that_all_are_there(many)
        over = beyond_python(few, with_broken) + with_many(few, many)
    if over:
        sys.exit(f"over budget: {', '.join(over)}")


if __name__ == "__main__":
    main()
