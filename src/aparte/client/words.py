"""What an error means, in French and English: one sentence for each code, for whatever shows errors to people."""

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
    if error.detail and error.code in DETAILED:
        return f"{sentence.rstrip('.')} ({error.detail})."
    return sentence
