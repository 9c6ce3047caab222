"""What messages may hold beside text, and what a model must be able to do for it."""

from __future__ import annotations

from llamafarm_universal.failure import RequestFailed

NAMES = {"image": "picture", "audio": "sound", "video": "film"}
"""What the parts of messages are called in sentences, by their type as chat templates know it."""
FEATURES = {"image": "pictures", "audio": "sound", "video": "pictures"}
"""What a loaded model says that it takes: a film is read as pictures."""


def not_taken(kind: str | None = None) -> RequestFailed:
    """A model is given a kind of part that it does not take; None: it takes texts alone."""
    return RequestFailed(
        "unsupported_content",
        f"This model takes no {NAMES[kind]}s." if kind else "This model takes texts alone.",
        hint="Send texts alone, or use a model that takes them: `lf models show` says what one takes.",
        param="messages",
    )
