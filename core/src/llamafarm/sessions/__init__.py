"""Conversations that are kept."""

from llamafarm.sessions.store import SessionStore, SessionSummary, StoredSession

__all__ = ["SessionStore", "SessionSummary", "StoredSession"]
