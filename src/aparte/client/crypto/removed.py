"""Words that the server has not any more, though nobody entitled has deleted them: told, because it looks like a drop.

A message that was deleted comes without its words, before the entry that deletes it. So it is looked at when the log is
here to its end.
"""

from aparte.client.crypto.own import now_ms
from aparte.client.store import entries, notices, sealed
from aparte.client.store.db import Store
from aparte.client.store.notices import Notice


def settle(store: Store) -> None:
    """Tell of messages that came without words and without a deletion; each is looked at once."""
    with store.reading() as tx:
        if not sealed.select_wordless(tx):
            return
    with store.transaction() as tx:
        for row in sealed.select_wordless(tx):
            entry = entries.select_entry(tx, row.conversation, row.seq)
            is_explained = entry is None or sealed.has_deletion(tx, row)
            sealed.update_state(tx, row, "deleted", "deleted" if is_explained else "removed")
            if entry is not None and not is_explained:
                about = Notice("removed", now_ms(), entry.account, entry.device, row.conversation, row.seq)
                notices.insert_notice(tx, about)
