"""What an error means, in French and English: one sentence for each code, for whatever shows errors to people."""

from datetime import datetime

from aparte.catalogue import Tongue, language_of, section, text
from aparte.client.errors import ClientError

__all__ = ["DETAILED", "ERRORS", "Tongue", "describe", "language_of"]

ERRORS = section("errors")
"""By code: a sentence in each language."""

DETAILED = frozenset(
    {"invalid", "bad_target", "no_such_room", "no_such_group", "ambiguous_group", "no_such_member", "unreachable"}
    | {"peer_without_keys"}
)
"""Codes whose detail is for people too: what they have typed, or whom it is about."""


def describe(error: ClientError, tongue: Tongue = "en") -> str:
    """Say in one sentence what an error means, with the detail where that helps."""
    if error.data.get("queued"):
        return text("phrases", "queued", tongue)
    sentence = text("errors", error.code if error.code in ERRORS else "unexpected_answer", tongue)
    if error.code == "silenced":
        return _silenced(error, tongue) or sentence
    if error.detail and error.code in DETAILED:
        return f"{sentence.rstrip('.')} ({error.detail})."
    return sentence


def _silenced(error: ClientError, tongue: Tongue) -> str | None:
    """Say until when somebody is silenced, and why, as far as the server tells."""
    try:
        until = datetime.fromisoformat(str(error.data.get("until"))).astimezone()
    except (ValueError, OverflowError):
        return None
    sentence = text("phrases", "silenced_here", tongue, when=f"{until:%Y-%m-%d %H:%M}")
    return f"{sentence.rstrip('.')} ({error.data['reason']})." if error.data.get("reason") else sentence
