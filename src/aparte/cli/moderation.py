"""`aparte silence`, `ban`, `words`, `held`, `flag` …: what keeps a conversation fit to be in."""

from typing import Annotated, Literal

import typer

from aparte.cli.arguments import Limit, MessageId, Person, Reason, Target, moment, name_of
from aparte.cli.output import as_row, clock, done, in_a_cell, in_a_line, is_json, listing, message_line, put, put_json
from aparte.cli.phrases import phrase
from aparte.cli.running import with_client
from aparte.client import Banned, Client, FlaggedMessage, HeldMessage, Word

FlagReason = Literal["spam", "abuse", "violence", "sexual", "illegal", "other"]
Listed = Annotated[list[str] | None, typer.Option(metavar="WORD")]
HeldId = Annotated[str | None, typer.Option(metavar="ID")]


def register(app: typer.Typer) -> None:
    """Add these commands to the command line."""
    for command in (silence, unsilence, silences, ban, unban, bans, words, held, flag, unflag, flags):
        app.command()(command)


def silence(
    context: typer.Context,
    target: Target,
    person: Person,
    until: Annotated[str, typer.Argument(metavar="TIME")],
    reason: Reason = "",
) -> None:
    """Let a member neither write nor react for a time."""
    end = moment(until, "TIME")

    async def work(me: Client) -> None:
        await me.moderation.silence(target, person, end, reason)
        row = {"conversation": target, "silenced": name_of(person), "until": end, "reason": reason}
        done(context, "silenced", row, when=clock(end))

    with_client(context, work)


def unsilence(context: typer.Context, target: Target, person: Person) -> None:
    """Let a member speak again."""

    async def work(me: Client) -> None:
        await me.moderation.unsilence(target, person)
        done(context, "unsilenced", {"conversation": target, "unsilenced": name_of(person)})

    with_client(context, work)


def silences(context: typer.Context, target: Target) -> None:
    """List who is silenced."""

    async def work(me: Client) -> None:
        found = await me.moderation.silences(target)
        cells = [(one.username, clock(one.until), f"({phrase('by')} {one.by})", one.reason) for one in found]
        listing(context, found, cells)

    with_client(context, work)


def ban(context: typer.Context, target: Target, person: Person, reason: Reason = "") -> None:
    """Put somebody out who is not to come back."""

    async def work(me: Client) -> None:
        await me.moderation.ban(target, person, reason)
        done(context, "banned", {"conversation": target, "banned": name_of(person), "reason": reason})

    with_client(context, work)


def unban(
    context: typer.Context,
    target: Target,
    person: Annotated[str | None, typer.Argument(metavar="@USER")] = None,
) -> None:
    """Lift a ban, or list who is banned."""

    async def work(me: Client) -> None:
        if person is None:
            show_bans(context, await me.moderation.bans(target))
            return
        await me.moderation.unban(target, person)
        done(context, "unbanned", {"conversation": target, "unbanned": name_of(person)})

    with_client(context, work)


def bans(context: typer.Context, target: Target) -> None:
    """List who is banned."""

    async def work(me: Client) -> None:
        show_bans(context, await me.moderation.bans(target))

    with_client(context, work)


def show_bans(context: typer.Context, found: list[Banned]) -> None:
    """List bans: whose, since when, by whom and why."""
    listing(context, found, [(one.username, clock(one.at), f"({phrase('by')} {one.by})", one.reason) for one in found])


def words(
    context: typer.Context,
    target: Annotated[str | None, typer.Argument(metavar="TARGET")] = None,
    hold: Listed = None,
    refuse: Listed = None,
    drop: Listed = None,
) -> None:
    """Show or change a word list; without a target, the server's own."""

    async def work(me: Client) -> None:
        found = await me.moderation.words(target)
        if hold or refuse or drop:
            new = [Word(text, "hold") for text in hold or ()] + [Word(text, "refuse") for text in refuse or ()]
            replaced = {word.text.casefold() for word in new} | {text.casefold() for text in drop or ()}
            kept = [word for word in found if word.text.casefold() not in replaced]
            found = await me.moderation.set_words(target, [*kept, *new])
        listing(context, found, [(word.text, phrase(f"word_{word.action}")) for word in found])

    with_client(context, work)


def held(
    context: typer.Context,
    *,
    target: Target,
    approve: HeldId = None,
    reject: HeldId = None,
    withdraw: HeldId = None,
    reason: Reason = "",
) -> None:
    """List the messages that wait for a moderator, or decide one."""
    if sum(one is not None for one in (approve, reject, withdraw)) > 1:
        raise typer.BadParameter(phrase("one_decision"))

    async def work(me: Client) -> None:
        if withdraw is not None:
            await me.moderation.withdraw(target, withdraw)
            done(context, "withdrawn", {"conversation": target, "withdrawn": withdraw})
        elif approve is not None or reject is not None:
            decided = await me.moderation.decide(
                target, str(approve or reject), approve=approve is not None, reason=reason
            )
            done(context, f"message_{decided.status}", dict(as_row(decided)))
        else:
            for one in await me.moderation.held(target):
                put_json(as_row(one)) if is_json(context) else put(held_line(one))

    with_client(context, work)


def held_line(one: HeldMessage) -> str:
    """Show a message that waits: its id to decide it by, who said it, what was found in it."""
    found = f" [{', '.join(in_a_line(word) for word in one.words)}]" if one.words else ""
    said = f"{in_a_cell(one.sender)}: {in_a_line(one.text)}"
    return f"{one.id} {clock(one.at)} {said}{found} ({phrase(f'status_{one.status}')})"


def flag(
    context: typer.Context,
    target: Target,
    message: MessageId,
    reason: Annotated[FlagReason, typer.Option()] = "other",
    note: Reason = "",
) -> None:
    """Tell moderators of a message."""

    async def work(me: Client) -> None:
        await me.moderation.flag(target, message, reason, note)
        done(context, "flag_set", {"conversation": target, "flagged": message, "reason": reason})

    with_client(context, work)


def unflag(context: typer.Context, target: Target, message: MessageId) -> None:
    """Take one's flag back."""

    async def work(me: Client) -> None:
        await me.moderation.unflag(target, message)
        done(context, "flag_taken", {"conversation": target, "unflagged": message})

    with_client(context, work)


def flags(context: typer.Context, target: Target, limit: Limit = 50) -> None:
    """List the messages that were flagged."""

    async def work(me: Client) -> None:
        for one in await me.moderation.flags(target, limit):
            put_json(as_row(one)) if is_json(context) else put(flagged_line(one))

    with_client(context, work)


def flagged_line(one: FlaggedMessage) -> str:
    """Show a flagged message: for which reasons, how often, and what was said of it."""
    reasons = ", ".join(f"{phrase(f'reason_{reason}')}×{count}" for reason, count in one.reasons.items())
    notes = "".join(f"\n    — {in_a_line(note)}" for note in one.notes)
    return f"{message_line(one.message)} [{reasons}]{notes}"
