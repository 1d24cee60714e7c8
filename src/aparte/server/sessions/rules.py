"""Pure rules of sessions."""

import hmac
from typing import Literal

from aparte.server.sessions.model import SessionRow

ACCESS_MINUTES = 15
SESSION_DAYS = 30
"""Sliding: counted from the last refresh (G-02)."""
GRACE_SECONDS = 30
"""The previous refresh token gets the same answer again for so long after it was used."""

Verdict = Literal["rotate", "repeat", "reused", "over", "closed"]


def judge(row: SessionRow | None, token_hash: str) -> Verdict:
    """Decide about a refresh token whose MAC is right."""
    if row is None or not row.is_alive:
        return "over"
    if not row.is_account_open:
        return "closed"
    if hmac.compare_digest(token_hash, row.refresh_hash):
        return "rotate"
    if row.rotated_lately and hmac.compare_digest(token_hash, row.previous_refresh_hash or ""):
        return "repeat"
    return "reused"
