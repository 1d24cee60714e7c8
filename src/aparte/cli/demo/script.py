"""How a scene is played: line by line, each looked for before it is said."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from uuid import UUID

from aparte.cli.demo.stage import Stage
from aparte.client import Message

FAR = 100
"""Messages of a conversation among which a line is looked for; no scene has more."""


@dataclass(frozen=True, slots=True)
class Line:
    """Something that somebody says, and what becomes of it. `reply` and `thread` name the `key` of an earlier line."""

    who: str
    text: str
    key: str = ""
    reply: str = ""
    thread: str = ""
    ttl: int | None = None
    first: str = ""
    """What it said before it was edited."""
    marks: tuple[tuple[str, str], ...] = ()
    """Who reacts with what."""
    pinned_by: str = ""
    form: str = "text"


class Scene:
    """One conversation of a demonstration. `place` says how somebody names it: two people name theirs by each other."""

    def __init__(self, stage: Stage, place: Callable[[str], str] | str) -> None:
        """Play on a stage."""
        self._stage = stage
        self._place = place if callable(place) else lambda _: place
        self._keys: dict[str, UUID] = {}

    async def play(self, lines: Sequence[Line]) -> None:
        """Say what was not said yet, in order."""
        said = {(line.sender, line.text): line.id for line in await self._heard(lines[0].who)}
        for line in lines:
            message = said.get((line.who, line.text)) or said.get((line.who, line.first)) or await self._say(line)
            self._keys[line.key] = message
            await self._around(line, message)

    async def read(self, who: str) -> None:
        """Let somebody have read all of it."""
        await self._heard(who)
        await self._stage[who].mark_read(self._place(who))

    async def _say(self, line: Line) -> UUID:
        if line.reply or line.thread:
            await self._heard(line.who)
        sent = await self._stage[line.who].send(
            self._place(line.who),
            line.first or line.text,
            text_format="markdown" if line.form == "markdown" else "text",
            reply=self._keys[line.reply] if line.reply else None,
            thread=self._keys[line.thread] if line.thread else None,
            ttl=line.ttl,
        )
        return sent.id

    async def _around(self, line: Line, message: UUID) -> None:
        """Do what others do with it; what was done already is done once."""
        if line.first and (await self._stage[line.who].message(self._place(line.who), message)).text == line.first:
            await self._stage[line.who].edit(self._place(line.who), message, line.text)
        for who, emoji in line.marks:
            await self._heard(who)
            await self._stage[who].react(self._place(who), message, emoji)
        if line.pinned_by:
            await self._heard(line.pinned_by)
            await self._stage[line.pinned_by].pin(self._place(line.pinned_by), message)

    async def _heard(self, who: str) -> list[Message]:
        """Let somebody hear what was said, and give it."""
        return await self._stage[who].history(self._place(who), FAR)


async def there(stage: Stage, who: str, name: str) -> str | None:
    """Find a conversation that somebody is in by its name, so that it is made once."""
    found = [room for room in await stage[who].conversations() if room.name == name]
    return str(found[0].id) if found else None
