"""Arguments and options that several commands have, and how times are written: `30m`, `18:30`, `2027-01-31 09:00`.

What they mean is in the catalogue's help, under their names.
"""

from datetime import UTC, datetime, timedelta
from typing import Annotated

import typer

from aparte.cli.phrases import phrase

Target = Annotated[str, typer.Argument(metavar="TARGET")]
MessageId = Annotated[str, typer.Argument(metavar="MESSAGE")]
Person = Annotated[str, typer.Argument(metavar="@USER")]
People = Annotated[list[str], typer.Argument(metavar="@USER…")]
Words = Annotated[list[str], typer.Argument(metavar="TEXT…")]
MaybeWords = Annotated[list[str] | None, typer.Argument(metavar="[TEXT…]")]
Reason = Annotated[str, typer.Option(metavar="TEXT")]
Limit = Annotated[int, typer.Option(min=1, max=10_000, metavar="N")]
Off = Annotated[bool, typer.Option("--off")]
Ids = Annotated[bool, typer.Option("--ids")]
Yes = Annotated[bool, typer.Option("--yes")]

UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
MOST_DIGITS = 6
FOREVER = "forever"


def duration(text: str, option: str) -> timedelta:
    """Read 45s, 30m, 12h, 7d, 4w."""
    number, unit = text[:-1], text[-1:]
    is_number = number.isascii() and number.isdigit() and len(number) <= MOST_DIGITS and int(number) > 0
    if unit not in UNITS or not is_number:
        raise typer.BadParameter(phrase("bad_duration", given=text), param_hint=option)
    return timedelta(**{UNITS[unit]: int(number)})


def moment(text: str, option: str) -> datetime:
    """Read a time from now on (2h), of the day (18:30, tomorrow if it is over), or a date with or without a time.

    What names no zone is of this machine's.
    """
    now = datetime.now(UTC).astimezone()
    if text[-1:] in UNITS and text[:-1].isdigit():
        return now + duration(text, option)
    try:
        hour, _, minute = text.partition(":")
        if len(text) <= len("18:30") and hour.isdigit() and minute.isdigit():
            due = now.replace(hour=int(hour), minute=int(minute), second=0, microsecond=0)
            return due if due > now else due + timedelta(days=1)
        return datetime.fromisoformat(text).astimezone()
    except (ValueError, OverflowError):
        raise typer.BadParameter(phrase("bad_moment", given=text), param_hint=option) from None


def name_of(person: str) -> str:
    """Give a user name without its sign."""
    return person.removeprefix("@")
