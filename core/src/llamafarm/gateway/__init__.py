"""The heart: project + request → model entry → agent handlers → provider.

`gateway.py` is the road, `fields.py` what becomes of a request's fields on it, `dispatch.py` its last step, `reply.py`
the answer's way back, and `blame.py` the name of whoever broke it. Beside the road: `naming.py` and `models.py`, the
models at their runtimes, and `runtimes.py`, the runtimes themselves.
"""

from llamafarm.gateway.dispatch import Context
from llamafarm.gateway.gateway import NEW_SESSION, SESSION_HEADER, Gateway

__all__ = ["NEW_SESSION", "SESSION_HEADER", "Context", "Gateway"]
