"""Conversations that are kept."""

from llamafarm.sessions.project import ProjectSessions, SessionSummary
from llamafarm.sessions.session import StoredSession
from llamafarm.sessions.store import SessionStore

__all__ = ["ProjectSessions", "SessionStore", "SessionSummary", "StoredSession"]
