"""Presence in Valkey: keys, fields and lifetimes; commands and nothing else. Raises `ValkeyAway`."""

from collections.abc import Sequence

from aparte.server.kit.valkey import Argument, Valkey
from aparte.server.presence.model import Found, Here, LiveSession, LiveSessionKey
from aparte.wire.accounts import Status
from aparte.wire.ids import AccountId, ConversationId

SESSION_SECONDS = 90
"""How long a session counts as live without the heartbeat of its process."""
USER_SECONDS = 120
CONVERSATION_SECONDS = 60
TYPING_SECONDS = 5

Command = Sequence[Argument]


def session_key(session: LiveSession) -> LiveSessionKey:
    """Name a live session and its device."""
    return f"{session.caller.session}/{session.caller.device}"


async def write_sessions(
    valkey: Valkey, chunk: Sequence[tuple[AccountId, Here]], node: str, now: float
) -> list[tuple[list[str], float, str]]:
    """Write this process's live sessions, strike those that departed or expired.

    Gives for each account the keys of all its live sessions anywhere, its last activity and the status last shown.
    """
    commands = [_written(account, here, node, now) for account, here in chunk]
    replies = await valkey.batch([command for some in commands for command in some])
    found, end = [], 0
    for (_, here), some in zip(chunk, commands, strict=True):
        end += len(some)
        members, (activity, shown) = replies[end - 2 : end]
        last = max(here.last_activity, float(activity or 0))
        found.append(([member.decode() for member in members], last, (shown or b"offline").decode()))
    return found


def _written(account: AccountId, here: Here, node: str, now: float) -> list[Command]:
    expiry = int(now) + SESSION_SECONDS
    live = f"presence:sessions:{account}"
    commands: list[Command] = []
    for key in here.departed:
        commands += [("DEL", f"session:{key.partition('/')[0]}"), ("ZREM", live, key)]
    for session, one in here.sessions.items():
        name = f"session:{session}"
        fields = ("user_id", str(account), "device_id", str(one.caller.device), "node", node)
        commands.append(("HSET", name, *fields, "connected_at", int(one.connected_at)))
        commands.append(("EXPIRE", name, SESSION_SECONDS))
        commands.append(("ZADD", live, expiry, session_key(one)))
    commands.append(("ZREMRANGEBYSCORE", live, "-inf", int(now)))
    commands.append(("EXPIRE", live, SESSION_SECONDS))
    commands.append(("ZRANGE", live, 0, -1))
    commands.append(("HMGET", f"presence:user:{account}", "last_activity", "status"))
    return commands


def user_written(account: AccountId, members: Sequence[str], last: float, node: str, status: Status) -> list[Command]:
    """Describe an online user; nothing is kept of who has no live session."""
    name = f"presence:user:{account}"
    if not members:
        return [("DEL", name)]
    devices = ",".join(sorted({member.partition("/")[2] for member in members}))
    fields = ("connections", len(members), "devices", devices, "last_activity", int(last))
    return [("HSET", name, *fields, "node", node, "status", status), ("EXPIRE", name, USER_SECONDS)]


async def read_found(valkey: Valkey, accounts: Sequence[AccountId], now: float) -> list[Found]:
    """Count live sessions and read the last activity of each account."""
    commands: list[Command] = []
    for account in accounts:
        commands.append(("ZCOUNT", f"presence:sessions:{account}", int(now), "+inf"))
        commands.append(("HGET", f"presence:user:{account}", "last_activity"))
    replies = await valkey.batch(commands)
    return [Found(replies[i], float(replies[i + 1] or 0)) for i in range(0, len(replies), 2)]


def activity_written(conversation: ConversationId, account: AccountId, activity: str, now: float) -> list[Command]:
    """Note that a member reads or writes; empty: has turned away. The hash expires with inactivity (R-264)."""
    name = f"presence:conversation:{conversation}"
    if not activity:
        return [("HDEL", name, str(account))]
    return [("HSET", name, str(account), f"{activity} {int(now)}"), ("EXPIRE", name, CONVERSATION_SECONDS)]


def typing_written(conversation: ConversationId, account: AccountId, *, on: bool, now: float) -> list[Command]:
    """Note when typing began; it ends by itself after five seconds (R-265)."""
    name = f"typing:{conversation}:{account}"
    return [("SET", name, int(now * 1000), "EX", TYPING_SECONDS)] if on else [("DEL", name)]
