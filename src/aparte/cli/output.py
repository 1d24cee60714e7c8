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
from aparte.client import ClientError, Message, describe, language_of

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
    return row


def message_line(message: Message) -> str:
    """Show a message to a person; lines after the first are indented, so that none can pass for another message."""
    moment = message.at.astimezone().strftime("%Y-%m-%d %H:%M")
    if message.code is not None:
        said = f"({describe(ClientError(message.code), language_of(os.environ))})"
    elif message.text is None:
        said = phrase("deleted") if message.deleted_at or message.kind == "message" else phrase("too_old")
    else:
        said = visible(message.text).replace("\n", "\n    ")
        said += f" ({phrase('edited')})" if message.edit_count else ""
    marks = "".join(f" {visible(emoji)}×{len(names)}" for emoji, names in message.reactions.items())
    return f"{moment} {visible(message.conversation)} {message.sender}: {said}{marks}"


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
