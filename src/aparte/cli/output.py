"""Lines on standard output: for people, with nothing in them that could command a terminal; or JSON, one object a line.

What people said goes to a terminal only after control, bidirectional and invisible characters are made visible: a
message must not be able to move the cursor, change the title or look like another line.
"""

import json
import os
import sys
import unicodedata
from datetime import UTC, datetime
from typing import Any

from aparte.cli.phrases import phrase
from aparte.client import ClientError, Event, Message, Quoted, Tongue, describe, language_of, tell

EXCERPT = 40
"""So many characters of a message are shown where it is answered."""
SHOWN = {"\n", "\t", "\u200d", "\ufe0f"}
"""Harmless, or part of emoji (zero-width joiner, variation selector)."""


def put(line: str) -> None:
    """Write a line and flush it."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def put_json(row: dict[str, Any]) -> None:
    """Write an object as a line of JSON and flush it."""
    put(json.dumps(row, ensure_ascii=False, default=_plain))


def message_row(message: Message) -> dict[str, Any]:
    """Show a message as JSON; the first keys are fixed, others may follow."""
    row: dict[str, Any] = {
        "conversation": message.conversation,
        "seq": message.seq,
        "id": message.id,
        "from": message.sender,
        "device": message.device,
        "kind": message.kind,
        "text": message.text,
        "at": message.at,
        "conversation_id": message.conversation_id,
        "edit_count": message.edit_count,
    }
    row |= {"code": message.code} if message.code else {}
    row |= (
        {"reactions": {emoji: list(names) for emoji, names in message.reactions.items()}} if message.reactions else {}
    )
    row |= {"reply": {"id": message.reply.id, "from": message.reply.sender}} if message.reply else {}
    row |= {"mentions": list(message.mentions)} if message.mentions else {}
    row |= {"pinned": True} if message.is_pinned else {}
    row |= {"passed_by": message.passed_by} if message.passed_by else {}
    row |= {"event": event_row(message.event), "message": tell(message, language())} if message.event else {}
    return row


def event_row(event: Event) -> dict[str, Any]:
    """Show what happened as JSON: what of it there is."""
    row: dict[str, Any] = {"action": event.deed, "subjects": list(event.subjects), "role": event.role}
    row |= {"policy": list(event.policy) if event.deed in {"created", "policy"} else None, "text": event.text}
    row |= {"owner": event.heir}
    return {name: value for name, value in row.items() if value or name == "action" or value == []}


def message_line(message: Message) -> str:
    """Show a message to a person; lines after the first are indented, so that none can pass for another message.

    What happened stands behind an asterisk, where a name and a colon would stand.
    """
    place = f"{message.at.astimezone().strftime('%Y-%m-%d %H:%M')} {visible(message.conversation)}"
    if message.event is not None:
        return f"{place} * {in_a_line(tell(message, language()))}"
    return f"{place} {message.sender}: {said(message)}{marks(message)}"


def said(message: Message) -> str:
    """Give the words of a message, or why there are none."""
    if message.code is not None:
        return f"({describe(ClientError(message.code), language())})"
    if message.text is None:
        return phrase("deleted") if message.deleted_at or message.kind == "message" else phrase("too_old")
    answered = f"({phrase('answers')} {excerpt(message.reply)}) " if message.reply else ""
    edited = f" ({phrase('edited')})" if message.edit_count else ""
    return f"{answered}{in_a_line(message.text)}{edited}"


def marks(message: Message) -> str:
    """Give what is shown behind a message: whom else it mentions, reactions, whether it is pinned, who passed it on."""
    others = [name for name in message.mentions if f"@{name}" not in (message.text or "")]
    shown = f" ({', '.join(f'@{visible(name)}' for name in others)})" if others else ""
    shown += "".join(f" {visible(emoji)}×{len(names)}" for emoji, names in message.reactions.items())
    shown += f" ({phrase('pinned')})" if message.is_pinned else ""
    return shown + (f" ({phrase('passed_by')} {visible(message.passed_by)})" if message.passed_by else "")


def excerpt(answered: Quoted) -> str:
    """Give the beginning of a message that is answered."""
    words = " ".join(visible(answered.text or phrase("deleted")).split())
    return f"{answered.sender}: {words if len(words) <= EXCERPT else words[: EXCERPT - 1] + '…'}"


def in_a_line(text: str) -> str:
    """Show a text with its lines after the first indented."""
    return visible(text).replace("\n", "\n    ")


def language() -> Tongue:
    """Give the language of the environment."""
    return language_of(os.environ)


def visible(text: str) -> str:
    """Replace characters that act instead of being seen by their code."""
    return "".join(c if c in SHOWN or unicodedata.category(c)[0] != "C" else f"\\u{ord(c):04x}" for c in text)


def table(rows: list[tuple[str, ...]]) -> None:
    """Write rows in aligned columns."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))] if rows else []
    for row in rows:
        cells = (visible(cell).replace("\n", " ").ljust(width) for cell, width in zip(row, widths, strict=True))
        put("  ".join(cells).rstrip())


def _plain(value: Any) -> str:
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return str(value)
