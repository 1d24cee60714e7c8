"""Somebody in a group, with a store and no server: what the log tells them, and which epochs they compute of it."""

from collections.abc import Mapping
from uuid import UUID, uuid4

from tests.client.chains import Group
from tests.client.lists import Owner

from aparte.client.crypto import epoch, folding, pins, rosters
from aparte.client.crypto.rosters import Changed, Epoch
from aparte.client.store import conversations, epochs, notices
from aparte.client.store.conversations import ConversationRow
from aparte.client.store.db import Store, Tx
from aparte.client.store.epochs import Hint
from aparte.wire import kinds
from aparte.wire.ids import AccountId, DeviceId, EntryId
from aparte.wire.messages import Entry

NOW = 1_800_000_000_000
MY_DEVICE = DeviceId(uuid4())
ANN, BOB, EVE, CARL = Owner.new(), Owner.new(), Owner.new(), Owner.new()


class Here:
    """The store of somebody in a group, and what the log tells it."""

    def __init__(self, store: Store, group: Group) -> None:
        self.store, self.group = store, group
        with store.transaction() as tx:
            tx.run(
                """
                INSERT INTO conversations (conversation_id, kind, encryption_mode, name, name_key, topic, description,
                                           role, cursor_seq, cursor_id, listened_seq)
                VALUES (?, 'group', 'e2ee', '', '', '', '', 'owner', 0, ?, 0)
                """,
                group.id.bytes,
                bytes(16),
            )
            self.learn(tx, group)
            row = conversations.select_conversation(tx, group.id)
        assert row is not None
        self.row: ConversationRow = row

    @staticmethod
    def learn(tx: Tx, group: Group) -> None:
        """Take the newest lists of everybody, and the chain."""
        for owner in group.people.values():
            assert pins.take(tx, owner.account, [owner.signed()], NOW)
        assert folding.take(tx, group.id, group.chain, NOW)

    def epoch(self, number: int, roster: bytes, seq: int, changed: Changed | None = None) -> Epoch | None:
        """Compute an epoch and keep it, as the log's entries do."""
        with self.store.transaction() as tx:
            found = rosters.compute(tx, self.row, ANN.account, (number, roster), seq, changed)
            if found is not None:
                rosters.meet(tx, self.group.id, found[0])
        return found[1] if found is not None else None

    def hint(self, number: int, statement: int, versions: Mapping[AccountId, int]) -> None:
        with self.store.transaction() as tx:
            epochs.upsert_hint(tx, self.group.id, number, Hint(statement, epoch.packed(versions)))

    def told(self) -> list[str]:
        with self.store.reading() as tx:
            return [notice.code for notice in notices.select_unshown(tx)]


def versions(*owners: Owner) -> dict[AccountId, int]:
    return {owner.account: owner.list.version for owner in owners}


def ready(here: Here) -> Epoch | None:
    with here.store.transaction() as tx:
        return rosters.ready(tx, here.row)


def entry(seq: int, actor: Owner, body: object, kind: int = kinds.STATEMENT) -> Entry:
    return Entry(seq, EntryId(UUID(int=seq)), kind, NOW, actor.account, body=body)
