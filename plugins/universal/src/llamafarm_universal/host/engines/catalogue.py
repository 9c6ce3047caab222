"""The engines that are installed, by name: entry points of group `llamafarm_universal.engines`."""

from __future__ import annotations

from functools import cache

from importlib_metadata import EntryPoint, entry_points

from llamafarm_universal.host.engines.base import Engine
from llamafarm_universal.host.failure import RequestFailed

GROUP = "llamafarm_universal.engines"


@cache
def installed() -> dict[str, tuple[EntryPoint, ...]]:
    """Every engine's name with the entry points that claim it. Imports none."""
    found: dict[str, tuple[EntryPoint, ...]] = {}
    for point in entry_points(group=GROUP):
        known = found.setdefault(point.name, ())
        if point.value not in [other.value for other in known]:  # an editable install can show up twice
            found[point.name] = (*known, point)
    return found


def engine_class(name: str) -> type[Engine]:
    """Import one engine. Raises RequestFailed where that fails, or where two distributions claim its name."""
    points = installed()[name]
    if len(points) > 1:
        owners = " and ".join(point.value for point in points)
        raise RequestFailed("not_supported", f"Engine `{name}` is claimed twice, by {owners}.", hint="Uninstall one.")
    try:
        loaded: type[Engine] = points[0].load()
    except Exception as error:
        raise RequestFailed(
            "not_supported", f"Engine `{name}` ({points[0].value}) cannot be imported: {type(error).__name__}: {error}"
        ) from error
    return loaded
