"""What other slices may ask of jobs."""

from datetime import timedelta
from typing import Any

from aparte.server.jobs import store
from aparte.server.kit.db import Tx
from aparte.wire.codec import to_json


async def enqueue(tx: Tx, name: str, payload: Any, *, after: timedelta | None = None, key: str | None = None) -> bool:
    """Have a job run once this transaction has committed, and not before `after` has passed.

    While a job with the same `key` waits or runs there is no second one: then nothing happens, and the answer is False.
    """
    return await store.insert_job(tx, name, to_json(payload), after or timedelta(0), key)
