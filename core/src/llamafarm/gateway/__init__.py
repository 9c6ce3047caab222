"""The heart: project + request → model entry → agent handlers → provider.

`gateway.py` is the road and `chat.py` that of chats; `fields.py` is what becomes of a request's fields on it,
`dispatch.py` its last step, `reply.py` the answer's way back, and `served.py` what is kept of a project. Beside the
road: `naming.py` and `models.py`, the models at their runtimes, and `runtimes.py`, the runtimes themselves.
"""

from llamafarm.gateway.chat import NEW_SESSION, SESSION_HEADER
from llamafarm.gateway.dispatch import Context
from llamafarm.gateway.gateway import Gateway

__all__ = ["NEW_SESSION", "SESSION_HEADER", "Context", "Gateway"]
