"""Lines on standard output: for people, with nothing in them that could command a terminal; or JSON, one object a line.

What people said goes to a terminal only after control, bidirectional and invisible characters are made visible: a
message must not be able to move the cursor, change the title or look like another line.
"""

import dataclasses
import json
import os
import sys
import unicodedata
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import msgspec
import typer

from aparte.cli.phrases import phrase
from aparte.cli.settings import Settings
from aparte.client import ClientError, Event, Message, Quoted, Tongue, describe, language_of, tell

EXCERPT = 40
"""So many characters of a message are shown where it is answered."""
SHOWN = {"\n", "\t", "\u200d", "\ufe0f"}
"""Harmless, or part of emoji (zero-width joiner, variation selector)."""
SEPARATORS = {"Zl", "Zp"}
"""Categories of characters that end a line."""
UNSEEN = set("\u034f\u115f\u1160\u17b4\u17b5\u2800\u3164\uffa0")
"""Letters and signs that show nothing: two names that differ in them alone look the same."""
BOLD, PLAIN = "\x1b[1m", "\x1b[0m"


def put(line: str) -> None:
    """Write a line and flush it."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def put_json(row: dict[str, Any]) -> None:
    """Write an object as a line of JSON and flush it."""
    put(json.dumps(row, ensure_ascii=False, default=_plain))


def is_json(context: typer.Context) -> bool:
    """Tell whether a program reads what is printed."""
    return isinstance(context.obj, Settings) and context.obj.json


def done(context: typer.Context, what: str, row: dict[str, Any], **values: Any) -> None:
    """Say that something was done: in a phrase, or what it was as JSON."""
    put_json(row) if is_json(context) else put(phrase(what, **values))


def listing(context: typer.Context, rows: Sequence[Any], cells: Sequence[tuple[str, ...]]) -> None:
    """Print many of a kind: a table, or an object for each."""
    if is_json(context):
        for row in rows:
            put_json(as_row(row))
    elif cells:
        table(list(cells))


def as_row(value: Any) -> Any:
    """Show what the SDK gives as JSON, under the names of its fields."""
    if isinstance(value, Message):
        return message_row(value)
    if isinstance(value, msgspec.Struct):
        return {name: as_row(getattr(value, name)) for name in value.__struct_fields__}
    if dataclasses.is_dataclass(value):
        return {field.name: as_row(getattr(value, field.name)) for field in dataclasses.fields(value)}
    return [as_row(one) for one in value] if isinstance(value, list | tuple) else value


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
    row |= beside(message)
    row |= {"event": event_row(message.event), "message": tell(message, language())} if message.event else {}
    return row


def beside(message: Message) -> dict[str, Any]:
    """Show as JSON what a message belongs to and how long it lasts."""
    row: dict[str, Any] = {
        "root": message.root,
        "expires_at": message.expires_at,
        "lasts": message.lasts,
        "edited_at": message.edited_at,
        "deleted_at": message.deleted_at,
        "typed": message.typed,
        "flags": message.flag_count or None,
        "reaction_counts": dict(message.reaction_counts) or None,
        "thread": as_row(message.thread) if message.thread else None,
        "forwarded": (as_row(message.origin) if message.origin else {}) if message.is_forwarded else None,
    }
    return {name: value for name, value in row.items() if value is not None}


def event_row(event: Event) -> dict[str, Any]:
    """Show what happened as JSON: what of it there is."""
    row: dict[str, Any] = {"action": event.deed, "subjects": list(event.subjects), "role": event.role}
    row |= {"policy": list(event.policy) if event.deed in {"created", "policy"} else None, "text": event.text}
    row |= {"owner": event.heir}
    return {name: value for name, value in row.items() if value or name == "action" or value == []}


def message_line(message: Message, words: str | None = None) -> str:
    """Show a message to a person; lines after the first are indented, so that none can pass for another message.

    What happened stands behind an asterisk, where a name and a colon would stand; what belongs to a thread, behind an
    arrow. `words` stand for the message's own.
    """
    place = f"{clock(message.at)} {in_a_cell(message.conversation)}"
    if message.event is not None:
        return f"{place} * {in_a_line(tell(message, language()))}"
    arrow = "↳ " if message.root is not None else ""
    return f"{place} {arrow}{in_a_cell(message.sender)}: {words or said(message)}{marks(message)}"


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
    """Give what is shown behind a message: whom else it mentions, reactions, what hangs under it, who passed it on …"""
    others = [name for name in message.mentions if f"@{name}" not in (message.text or "")]
    shown = f" ({', '.join(f'@{in_a_cell(name)}' for name in others)})" if others else ""
    counts = message.reaction_counts or {emoji: len(names) for emoji, names in message.reactions.items()}
    shown += "".join(f" {in_a_cell(emoji)}×{count}" for emoji, count in counts.items())
    remarks = [phrase("forwarded")] if message.is_forwarded else []
    remarks += [phrase("replies", count=message.thread.count)] if message.thread else []
    remarks += [phrase("pinned")] if message.is_pinned else []
    remarks += [phrase("disappears", when=clock(message.expires_at))] if message.expires_at else []
    remarks += [phrase("flagged", count=message.flag_count)] if message.flag_count else []
    remarks += [f"{phrase('passed_by')} {in_a_cell(message.passed_by)}"] if message.passed_by else []
    return shown + "".join(f" ({remark})" for remark in remarks)


def excerpt(answered: Quoted) -> str:
    """Give the beginning of a message that is answered."""
    words = " ".join(visible(answered.text or phrase("deleted")).split())
    return f"{in_a_cell(answered.sender)}: {words if len(words) <= EXCERPT else words[: EXCERPT - 1] + '…'}"


def highlighted(text: str, places: Sequence[tuple[int, int]]) -> str:
    """Show a text in a line, with what was looked for in bold on a terminal."""
    if not sys.stdout.isatty() or os.environ.get("NO_COLOR"):
        return in_a_line(text)
    shown, end = "", 0
    for first, last in places:
        shown += f"{in_a_line(text[end:first])}{BOLD}{in_a_line(text[first:last])}{PLAIN}"
        end = last
    return shown + in_a_line(text[end:])


def in_a_line(text: str) -> str:
    """Show a text with its lines after the first indented."""
    return visible(text).replace("\n", "\n    ")


def in_a_cell(text: str) -> str:
    """Show a name or a title where it must stay in its place: in one line, and nothing in it unseen."""
    return (
        "".join(f"\\u{ord(c):04x}" if c in UNSEEN else c for c in visible(text)).replace("\n", " ").replace("\t", " ")
    )


def clock(at: datetime) -> str:
    """Show a time of day here."""
    return at.astimezone().strftime("%Y-%m-%d %H:%M")


def language() -> Tongue:
    """Give the language of the environment."""
    return language_of(os.environ)


def visible(text: str) -> str:
    """Replace characters that act instead of being seen by their code."""
    return "".join(c if c in SHOWN or not _acts(c) else f"\\u{ord(c):04x}" for c in text)


def table(rows: list[tuple[str, ...]]) -> None:
    """Write rows in aligned columns."""
    shown = [tuple(in_a_cell(cell) for cell in row) for row in rows]
    widths = [max(len(row[column]) for row in shown) for column in range(len(shown[0]))] if shown else []
    for row in shown:
        put("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


def _acts(character: str) -> bool:
    category = unicodedata.category(character)
    return category[0] == "C" or category in SEPARATORS


def _plain(value: Any) -> str:
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return str(value)
