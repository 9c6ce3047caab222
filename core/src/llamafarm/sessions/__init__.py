"""Conversations that are kept."""

from llamafarm.sessions.project import ProjectSessions
from llamafarm.sessions.store import SessionStore, SessionSummary, StoredSession

__all__ = ["ProjectSessions", "SessionStore", "SessionSummary", "StoredSession"]
