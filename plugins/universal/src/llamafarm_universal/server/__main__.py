"""`python -m llamafarm_universal.server`: the Universal Runtime."""

from __future__ import annotations

import sys


def main() -> int:
    """Run the server until it is told to stop; 0 for a proper end, 1 where it could not start."""
    # imported here: the engine host's process imports this module too, and needs none of it
    from llamafarm_universal.server.serve import run

    return run(sys.argv[1:])


if __name__ == "__main__":
    sys.exit(main())
