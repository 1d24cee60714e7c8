"""People and rooms made by SQL, for tests of the log that need no accounts' life around them."""

from typing import Any
from uuid import UUID, uuid4

from aparte.server.kit.caller import Caller
from aparte.wire.ids import AccountId, ConversationId, DeviceId, SessionId


async def person(connection: Any, name: str | None = None) -> Caller:
    """An account with a device."""
    account, device = uuid4(), uuid4()
    name = name or f"p{account.hex[:12]}"
    await connection.execute(
        "INSERT INTO accounts (account_id, username, email, display_name) VALUES ($1, $2, $3, $2)",
        account,
        name,
        f"{name}@example.org",
    )
    await connection.execute("INSERT INTO account_revs (account_id) VALUES ($1)", account)
    await connection.execute(
        "INSERT INTO devices (device_id, account_id, name, platform) VALUES ($1, $2, 'here', 'desktop')",
        device,
        account,
    )
    return Caller(AccountId(account), DeviceId(device), SessionId(uuid4()), "user", is_listed=True)


async def room(connection: Any, *members: Caller, name: str | None = None) -> ConversationId:
    """A public room with an empty log; the first member owns it."""
    conversation: UUID = uuid4()
    name = name or f"room {conversation.hex[:12]}"
    await connection.execute(
        """
        INSERT INTO conversations (conversation_id, kind, encryption_mode, is_public, name, name_key, member_count)
        VALUES ($1, 'room', 'server', true, $2, $2, $3)
        """,
        conversation,
        name,
        len(members),
    )
    await connection.execute("INSERT INTO heads (conversation_id) VALUES ($1)", conversation)
    await connection.executemany(
        """
        INSERT INTO members (conversation_id, account_id, role, joined_seq, joined_id, read_seq, read_id, read_ordinal)
        VALUES ($1, $2, $3, 0, '00000000-0000-0000-0000-000000000000', 0, '00000000-0000-0000-0000-000000000000', 0)
        """,
        [(conversation, m.account, "owner" if i == 0 else "member") for i, m in enumerate(members)],
    )
    return ConversationId(conversation)
