"""Which entries may be passed on to a newcomer: those of before their time that are open here and meant to last."""

from dataclasses import dataclass, field

from aparte.client.core.checks import WITH_TARGET
from aparte.client.crypto import arrivals, keyring, rosters
from aparte.client.store import content_keys, entries, sealed
from aparte.client.store.content_keys import ContentKey
from aparte.client.store.conversations import ConversationRow
from aparte.client.store.db import Tx
from aparte.client.store.sealed import SealedRow
from aparte.e2ee import content as contents
from aparte.e2ee import entry as entry_seal
from aparte.e2ee.content import Text
from aparte.e2ee.errors import E2eeError
from aparte.e2ee.grant import Triple
from aparte.e2ee.membership import Membership
from aparte.wire.ids import AccountId


@dataclass(frozen=True, slots=True)
class _Opened:
    key: bytes = field(repr=False)
    kind: int
    stays: bool


@dataclass(frozen=True, slots=True)
class Newcomer:
    """Somebody who came into a group, as one member (`me`) sees it."""

    row: ConversationRow
    membership: Membership
    me: AccountId
    account: AccountId
    _owed: dict[int, bool] = field(default_factory=dict)
    """Whether they were not there yet, by epoch."""
    _staying: dict[bytes, bool] = field(default_factory=dict)
    """Whether a message stays, by hash: what changes it goes where it goes."""

    def triple(self, tx: Tx, kept: SealedRow) -> Triple | None:
        """Give the triple of an entry that may be passed on to them; None of any other."""
        if kept.state != "open" or not self._was_before(tx, kept.epoch):
            return None
        opened = self._opened(tx, kept)
        if opened is None or not opened.stays or not (opened.kind not in WITH_TARGET or self._target_stays(tx, kept)):
            return None
        return Triple(kept.seq, opened.key, kept.hash)

    def _was_before(self, tx: Tx, number: int) -> bool:
        """Tell whether an epoch was before their time; of one before one's own, who came later has seen nothing.

        One's own devices may have anything: what they were there for they have already.
        """
        if self.account == self.me:
            return True
        if number not in self._owed:
            epoch = rosters.known(tx, self.row.conversation, number)
            admitted = self.membership.members[self.account.bytes].number
            since = epoch.statement if epoch is not None else self.membership.members[self.me.bytes].number
            self._owed[number] = since < admitted
        return self._owed[number]

    def _opened(self, tx: Tx, kept: SealedRow) -> _Opened | None:
        """Open an entry again: what says that it vanishes is in its content."""
        entry = entries.select_entry(tx, self.row.conversation, kept.seq)
        if entry is None or kept.sealed is None:
            return None
        head = arrivals.arrival_again(self.row, entry, kept).head
        for given in self._keys(tx, kept, entry.account):
            try:
                content = contents.decode(entry.kind, entry_seal.open_(head, kept.sealed, given.key))
            except E2eeError:
                continue
            return _Opened(given.key, entry.kind, not (isinstance(content, Text) and content.ttl is not None))
        return None

    def _keys(self, tx: Tx, kept: SealedRow, author: AccountId) -> list[ContentKey]:
        """Give the keys to pass on: the believed ones; to one's own devices also what was passed on to this one."""
        if self.account == self.me:
            return content_keys.select_keys(tx, kept.hash)
        return keyring.believed(tx, kept.hash, (author, kept.device), self.me)

    def _target_stays(self, tx: Tx, kept: SealedRow) -> bool:
        if kept.target not in self._staying:
            target = sealed.select_hashed(tx, self.row.conversation, kept.target)
            opened = self._opened(tx, target) if target is not None and target.state == "open" else None
            self._staying[kept.target] = opened is not None and opened.stays
        return self._staying[kept.target]
