"""The node's own clock, for expiries and limits only: order and times of entries come from PostgreSQL."""

from datetime import UTC, datetime


def now() -> datetime:
    """Tell the time in UTC."""
    return datetime.now(UTC)
