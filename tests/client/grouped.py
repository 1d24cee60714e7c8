"""Groups without a name, and what each device in one has of the others' chains."""

from typing import Any

import asyncpg
from tests.support.valkey import until

from aparte.client import Client
from aparte.client.crypto import membership
from aparte.client.model import Message
from aparte.client.store import own_chains
from aparte.client.store.own_chains import GivenRow
from aparte.wire.ids import AccountId, ConversationId, DeviceId

Group = ConversationId
Admin = asyncpg.Connection  # of the maintenance role


def account_of(who: Client) -> AccountId:
    return who._session.profile.account


async def group_of(owner: Client, *others: Client) -> Group:
    """A group without a name."""
    return (await membership.create(owner._session, [account_of(one) for one in others], 0)).id


async def shown(who: Client, group: Group) -> list[Message]:
    return await who.history(str(group))


async def texts(who: Client, group: Group) -> list[str | None]:
    return [message.text for message in await shown(who, group)]


def chain_of(who: Client, group: Group) -> int | None:
    with who._session.store.reading() as tx:
        row = own_chains.select_own_chain(tx, group)
    return row.chain_id if row is not None else None


def given_by(who: Client, group: Group) -> dict[DeviceId, GivenRow]:
    with who._session.store.reading() as tx:
        return own_chains.select_given(tx, group)


def forget_chains(who: Client, group: Group) -> None:
    """Lose what others have given, as a store that was set right by hand would have."""
    with who._session.store.transaction() as tx:
        tx.run("DELETE FROM sender_chains WHERE conversation_id = ?", group.bytes)


def notices_of(who: Client) -> set[str]:
    with who._session.store.reading() as tx:
        return {code for (code,) in tx.rows("SELECT code FROM notices")}


async def acknowledged(server_admin: Admin, who: Client) -> None:
    """Wait until the server knows that a device has read what was given to it."""

    async def is_gone() -> bool:
        left = await server_admin.fetchval("SELECT count(*) FROM distributions WHERE device_id = $1", who.device_id)
        return bool(left == 0)

    await until(is_gone)


async def exchanged(asking: Client, asked: Client) -> None:
    """Let a request and its answer go their way."""
    for one in (asking, asked, asking):
        await mailbox_of(one).exchange()


def mailbox_of(who: Client) -> Any:
    return who._gateway._mailbox


async def keep_silent(*_: Any) -> None:
    """Ask nobody."""
