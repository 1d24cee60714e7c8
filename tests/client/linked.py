"""A second profile of somebody, linked by the first as people do it: offer, password, code."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress

from tests.client.conftest import PASSWORD

from aparte.client import Client, ClientError, CodeShown, Credentials, Offered, Place

Typed = Callable[[str], Awaitable[None]]
Approve = Callable[[str], Awaitable[Typed]]


@asynccontextmanager
async def linking(place: Place, username: str, approve: Approve) -> AsyncIterator[Client]:
    """Link a profile; `approve` is given the offer and gives what is done with the code."""
    told: asyncio.Queue[Offered | CodeShown] = asyncio.Queue(maxsize=4)

    async def other_side() -> None:
        offered = await told.get()
        assert isinstance(offered, Offered)
        then = await approve(offered.text)
        shown = await told.get()
        assert isinstance(shown, CodeShown)
        assert shown.username == username
        await then(shown.code)

    helping = asyncio.ensure_future(other_side())
    try:
        async with Client.link(place, Credentials(username, PASSWORD), told.put_nowait) as client:
            await helping
            yield client
    finally:
        helping.cancel()
        with suppress(asyncio.CancelledError, ClientError):
            await helping


def by(approver: Client, password: str = PASSWORD) -> Approve:
    """Approve as a person does who has both devices in hand."""

    async def approve(text: str) -> Typed:
        applicant = await approver.keys.look_at_offer(text)
        answered = await approver.keys.answer(applicant, password)
        return lambda code: approver.keys.admit(answered, code)

    return approve
