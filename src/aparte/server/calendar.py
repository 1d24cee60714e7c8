"""Everything that happens by the clock, in one table. A feature adds its rows here; the runner of jobs reads it."""

from functools import partial

from aparte.server.accounts import actions as account_actions
from aparte.server.contacts import actions as contact_actions
from aparte.server.filters import actions as filter_actions
from aparte.server.jobs import schedule
from aparte.server.jobs.model import Schedule
from aparte.server.keys import actions as key_actions
from aparte.server.kit.blobs import Blobs
from aparte.server.kit.db import Database
from aparte.server.linking import actions as linking_actions
from aparte.server.messages import actions as message_actions
from aparte.server.objects import actions as object_actions
from aparte.server.receipts import actions as receipt_actions
from aparte.server.scheduling import actions as scheduling_actions
from aparte.server.search import actions as search_actions
from aparte.server.sessions import actions as session_actions


def steps(db: Database, blobs: Blobs, admin_dsn: str) -> list[Schedule]:
    """Every step that happens by the clock: name, when (cron, UTC), what."""
    until_none = partial(schedule.until_none, db)
    return [
        *schedule.own(db, admin_dsn),
        Schedule("expired_sessions", "13 * * * *", partial(until_none, session_actions.delete_expired)),
        Schedule("old_payloads", "43 3 * * *", partial(until_none, key_actions.delete_old)),
        Schedule("link_offers", "*/10 * * * *", partial(until_none, linking_actions.forget_old)),
        Schedule("old_requests", "17 4 * * *", partial(until_none, contact_actions.forget_old)),
        Schedule("login_failures", "33 * * * *", partial(until_none, account_actions.forget_stale_failures)),
        Schedule("client_ids", "27 3 * * *", partial(message_actions.forget_sends, db)),
        Schedule("old_envelopes", "47 3 * * *", partial(message_actions.forget_envelopes, db)),
        Schedule("group_keys", "*/5 * * * *", partial(message_actions.erase_group_keys, db)),
        Schedule("pending_chains", "*/5 * * * *", partial(until_none, message_actions.forget_pending)),
        Schedule("deleted_words", "37 3 * * *", partial(message_actions.erase_deleted, db)),
        Schedule("expired_words", "* * * * *", partial(message_actions.erase_expired, db)),
        Schedule("repaired_counts", "17 4 * * 0", partial(message_actions.repair_counts, db)),
        Schedule("old_objects", "52 3 * * *", partial(object_actions.forget_old, db, blobs)),
        Schedule("object_litter", "7 4 * * *", partial(object_actions.clear_litter, db, blobs)),
        Schedule("stale_scheduled", "* * * * *", partial(scheduling_actions.mark_stale, db)),
        Schedule("old_scheduled", "12 4 * * *", partial(until_none, scheduling_actions.forget_over)),
        Schedule("old_held", "27 4 * * *", partial(until_none, filter_actions.forget_over)),
        Schedule("found_expired", "* * * * *", partial(until_none, search_actions.forget_expired)),
        Schedule("found_closed", "22 4 * * *", partial(until_none, search_actions.forget_closed)),
        Schedule("old_receipts", "57 3 * * *", partial(receipt_actions.collapse, db)),
    ]
