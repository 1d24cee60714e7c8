"""Who sees somebody, asked from either side: `contacts.audience` and `contacts.allowed` never disagree."""

import itertools
import json
from typing import Any
from uuid import uuid4

from tests.support.rooms import person

from aparte.server.contacts import actions as contacts
from aparte.server.kit.db import Database
from aparte.wire.ids import AccountId


async def test_both_sides_agree_for_every_privacy_contact_and_block(db: Database, admin: Any) -> None:
    people = []
    for privacy, is_contact, block in itertools.product(
        ("everyone", "contacts", "nobody"), (False, True), ("none", "blocks", "is blocked")
    ):
        owner, asker = await person(admin), await person(admin)
        people.append((owner.account, asker.account))
        await admin.execute(
            "UPDATE accounts SET privacy = $2::text::jsonb WHERE account_id = $1",
            owner.account,
            json.dumps({"see_presence": privacy}),
        )
        if is_contact:
            pair = (owner.account, asker.account)
            await admin.execute("INSERT INTO contacts (owner_id, contact_id) VALUES ($1, $2)", *pair)
        if block != "none":
            pair = (owner.account, asker.account) if block == "blocks" else (asker.account, owner.account)
            await admin.execute("INSERT INTO blocks (blocker_id, blocked_id) VALUES ($1, $2)", *pair)
    askers = [asker for _, asker in people] + [owner for owner, _ in people]
    async with db.read() as reader:
        seen = 0
        for owner_id, _ in people:
            here = await contacts.audience(reader, owner_id, askers, "see_presence")
            seen += len(here)
            for asker_id in askers:
                allowed = await contacts.allowed(reader, asker_id, [owner_id], "see_presence")
                assert (asker_id in here) == (owner_id in allowed)
        assert 0 < seen < len(people) * len(askers)
        assert await contacts.audience(reader, AccountId(uuid4()), askers, "see_presence") == set()
