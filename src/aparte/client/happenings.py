"""What happened in a conversation, told in a sentence of French or English: who came, who went, what it is called."""

from collections.abc import Sequence

from aparte.catalogue import Tongue, text
from aparte.client.core.events import POLICIES, Policy
from aparte.client.model import Event, Message

NAMED = 3
"""So many people are named in a sentence; of more, the others are counted."""
UNITS = (("day", 86_400), ("hour", 3_600), ("minute", 60), ("second", 1))


def tell(message: Message, tongue: Tongue = "en") -> str:
    """Say what a message of the stream or of history tells that nobody said; empty for what somebody did say."""
    event = message.event
    if event is None:
        return ""
    said = text(
        "events",
        sentence_of(event),
        tongue,
        actor=message.sender,
        subjects=listed(event.subjects, tongue),
        role=text("events", f"role.{event.role}", tongue) if event.role else "",
        policy=policy_in_words(event.policy, tongue),
        text=event.text,
        kind=text("events", f"kind.{event.kind}", tongue),
        ttl=lasting(event.ttl, tongue) if event.ttl else "",
        until=f"{event.until.astimezone():%Y-%m-%d %H:%M}" if event.until else "",
        changed=", ".join(text("events", f"setting.{name}", tongue) for name in event.changed),
    )
    return said + (text("events", "heir", tongue, heir=event.heir) if event.heir else "")


def sentence_of(event: Event) -> str:
    """Name the sentence for what happened; what was taken away has one of its own."""
    if event.deed == "topic" and not event.text:
        return "topic.none"
    if event.deed == "nicknamed" and event.text is None:
        return "nicknamed.none"
    return "settings.none" if event.deed == "settings" and event.ttl is None else event.deed


def lasting(ttl: tuple[str, int], tongue: Tongue) -> str:
    """Say how long messages are there, and from when."""
    beginning, seconds = ttl
    return text("events", f"from.{beginning}", tongue, time=time_in_words(seconds, tongue))


def time_in_words(seconds: int, tongue: Tongue) -> str:
    """Say how long something takes: in the largest units that fit, two at most."""
    parts: list[str] = []
    for unit, size in UNITS:
        count, seconds = divmod(seconds, size)
        parts += [text("events", f"unit.{unit}", tongue, count=count)] if count else []
    return text("events", "and", tongue).join(parts[:2])


def listed(names: Sequence[str], tongue: Tongue) -> str:
    """Name people, and count the rest where they are many."""
    if len(names) > NAMED + 1:
        return text("events", "and_others", tongue, names=", ".join(names[:NAMED]), count=len(names) - NAMED)
    joined = text("events", "and", tongue)
    return joined.join((", ".join(names[:-1]), names[-1])) if len(names) > 1 else "".join(names)


def policy_in_words(policy: Sequence[Policy], tongue: Tongue) -> str:
    """Say what a group's policy means."""
    return ", ".join(
        text("events", f"policy.{name}" if name in policy else f"policy.not.{name}", tongue) for name in POLICIES
    )
