"""A second device: offered, answered, compared, admitted; and whatever goes wrong on the way gives nothing away."""

from collections.abc import Awaitable, Callable

import pytest
from tests.client.conftest import PASSWORD, Newcomer
from tests.client.linked import by, linking

from aparte.client import Client, ClientError, Credentials, KeyRefused, NotSignedIn, Place
from aparte.client.api import keys as api
from aparte.client.crypto import approving, own, pins
from aparte.client.crypto import linking as new_side
from aparte.client.crypto.mailbox import Mailbox
from aparte.client.session import Session
from aparte.wire.linking import Admission

Places = Callable[[str], Place]


def session_of(client: Client) -> Session:
    return client._session


async def test_a_linked_device_is_on_the_list_and_knows_whom_its_account_knows(
    newcomer: Newcomer, place: Places
) -> None:
    ann, bob = await newcomer("ann"), await newcomer("bob")
    ann_name, bob_name = (await ann.who_am_i()).username, (await bob.who_am_i()).username
    number = await ann.keys.safety_number(bob_name)
    await ann.keys.verify(bob_name, number)
    async with linking(place("phone"), ann_name, by(ann)) as phone:
        assert await phone.keys.listed() == {ann.device_id, phone.device_id} == await ann.keys.listed()
        assert await phone.keys.safety_number(bob_name) == (await ann.keys.safety_number(bob_name))
        assert (await phone.keys.safety_number(bob_name)).is_verified
        keys = []
        for client in (ann, phone):
            with session_of(client).store.reading() as tx:
                keys.append(own.load(tx))
        assert keys[0].account_key == keys[1].account_key
        assert keys[0].identity != keys[1].identity
        assert [key.number for key in keys] == [1, 2]
        assert ann.keys.notices() == []
        room = await phone.new_room(f"#{ann_name}")
        assert room.title == f"#{ann_name}"
        await own.keep_up(session_of(phone))
    async with Client.open(place("phone")) as again:
        assert (await again.who_am_i()).username == ann_name


async def test_a_wrong_code_is_one_try_and_gives_nothing(newcomer: Newcomer, place: Places) -> None:
    ann = await newcomer("ann")
    name = (await ann.who_am_i()).username
    refused: list[str] = []

    async def approve(text: str) -> Callable[[str], Awaitable[None]]:
        answered = await ann.keys.answer(await ann.keys.look_at_offer(text), PASSWORD)

        async def mistype(code: str) -> None:
            wrong = f"{(int(code) + 1) % 1_000_000:06d}"
            for typed in (wrong, code):
                with pytest.raises(ClientError) as caught:
                    await ann.keys.admit(answered, typed)
                refused.append(caught.value.code)

        return mistype

    with pytest.raises(ClientError) as caught:
        async with linking(place("phone"), name, approve):
            pass
    assert caught.value.code == "link_over"
    assert refused[0] == "link_code_wrong"
    assert refused[1] in {"not_found", "offer_gone"}
    assert await ann.keys.listed() == {ann.device_id}
    with pytest.raises(NotSignedIn):
        async with Client.open(place("phone")):
            pass


async def test_a_wrong_password_answers_nothing(newcomer: Newcomer, place: Places) -> None:
    ann = await newcomer("ann")
    name = (await ann.who_am_i()).username

    async def approve(text: str) -> Callable[[str], Awaitable[None]]:
        applicant = await ann.keys.look_at_offer(text)
        with pytest.raises(ClientError) as caught:
            await ann.keys.answer(applicant, "not the password")
        assert caught.value.code == "bad_credentials"
        return await by(ann)(text)

    async with linking(place("phone"), name, approve) as phone:
        assert phone.device_id in await ann.keys.listed()


@pytest.mark.parametrize("text", ["", "hello", "A" * 107, "aparte://link/1/" + "A" * 106])
async def test_what_is_no_offer_is_said_to_be_none(newcomer: Newcomer, text: str) -> None:
    ann = await newcomer("ann")
    with pytest.raises(KeyRefused) as caught:
        await ann.keys.look_at_offer(text)
    assert caught.value.code == "bad_offer"


async def test_an_offer_to_somebody_elses_account_is_not_to_be_found(newcomer: Newcomer, place: Places) -> None:
    ann, eve = await newcomer("ann"), await newcomer("eve")
    name = (await ann.who_am_i()).username

    async def approve(text: str) -> Callable[[str], Awaitable[None]]:
        with pytest.raises(ClientError) as caught:
            await eve.keys.look_at_offer("aparte://link/1/" + text)
        assert caught.value.code == "not_found"
        return await by(ann)(text)

    async with linking(place("phone"), name, approve):
        assert len(await ann.keys.listed()) == 2


async def test_a_list_that_changed_meanwhile_is_signed_anew(newcomer: Newcomer, place: Places) -> None:
    ann = await newcomer("ann")
    name = (await ann.who_am_i()).username
    async with linking(place("phone"), name, by(ann)) as phone:

        async def approve(text: str) -> Callable[[str], Awaitable[None]]:
            applicant = await ann.keys.look_at_offer(text)
            answered = await ann.keys.answer(applicant, PASSWORD)
            await phone.keys.revoke(phone.device_id, None)
            return lambda code: ann.keys.admit(answered, code)

        async with linking(place("tablet"), name, approve) as tablet:
            assert await tablet.keys.listed() == {ann.device_id, tablet.device_id}


async def test_an_admission_whose_answer_was_lost_is_found_done(
    newcomer: Newcomer, place: Places, monkeypatch: pytest.MonkeyPatch
) -> None:
    ann = await newcomer("ann")
    name = (await ann.who_am_i()).username
    admissions: list[Admission] = []
    admit = api.admit

    async def twice(session: Session, offer: object, admission: Admission) -> None:
        for _ in range(2):
            admissions.append(admission)
            await admit(session, offer, admission)  # type: ignore[arg-type]

    monkeypatch.setattr(approving.api, "admit", twice)
    async with linking(place("phone"), name, by(ann)) as phone:
        assert await ann.keys.listed() == {ann.device_id, phone.device_id}
    assert len(admissions) == 2


async def test_a_link_that_breaks_off_at_the_end_begins_anew_as_another_device(
    newcomer: Newcomer, place: Places, monkeypatch: pytest.MonkeyPatch
) -> None:
    ann = await newcomer("ann")
    name = (await ann.who_am_i()).username
    with monkeypatch.context() as patch:
        patch.setattr(new_side, "keep", lambda *_: (_ for _ in ()).throw(ClientError("unreachable")))
        with pytest.raises(ClientError):
            async with linking(place("phone"), name, by(ann)):
                pass
    [lost] = await ann.keys.listed() - {ann.device_id}
    async with linking(place("phone"), name, by(ann)) as phone:
        assert await ann.keys.listed() == {ann.device_id, lost, phone.device_id}
        await ann.keys.revoke(lost, PASSWORD)
        assert await ann.keys.listed() == {ann.device_id, phone.device_id}


# Taking devices off ---------------------------------------------------------------------------------------------------


async def test_a_stolen_device_is_taken_off_under_a_new_account_key(newcomer: Newcomer, place: Places) -> None:
    ann, bob = await newcomer("ann"), await newcomer("bob")
    name = (await ann.who_am_i()).username
    async with linking(place("phone"), name, by(ann)) as phone:
        before = await bob.keys.safety_number(name)
        await bob.keys.verify(name, before)
        with pytest.raises(ClientError) as caught:
            await ann.keys.revoke(phone.device_id, "not the password")
        assert caught.value.code == "bad_credentials"
        gone_device = phone.device_id
        await ann.keys.revoke(gone_device, PASSWORD)
        assert await ann.keys.listed() == {ann.device_id}
        with pytest.raises(NotSignedIn):
            await phone.who_am_i()
        after = await bob.keys.safety_number(name)
        assert after.has_changed
        assert after.digits != before.digits
        assert {notice.code for notice in bob.keys.notices()} == {"key_changed", "device_removed"}
        with session_of(ann).store.reading() as tx:
            mine = own.load(tx)
            pin = pins.pinned(tx, mine.account)
        assert pin is not None
        assert own.signing_key(mine, pin.list) == mine.account_key
    with pytest.raises(KeyRefused) as gone:
        async with Client.log_in(place("phone"), Credentials(name, PASSWORD)):
            pass
    assert gone.value.code == "revoked"
    async with linking(place("phone"), name, by(ann)) as again:
        assert again.device_id != gone_device
        assert again.device_id in await ann.keys.listed()


async def test_ones_other_devices_are_told_the_new_account_key(newcomer: Newcomer, place: Places) -> None:
    ann = await newcomer("ann")
    name = (await ann.who_am_i()).username
    async with linking(place("phone"), name, by(ann)) as phone, linking(place("tablet"), name, by(ann)) as tablet:
        await ann.keys.revoke(phone.device_id, PASSWORD)
        await Mailbox(session_of(tablet), lambda: None).exchange()
        with session_of(ann).store.reading() as tx:
            wanted = own.load(tx).account_key
        with session_of(tablet).store.reading() as tx:
            mine = own.load(tx)
            pin = pins.pinned(tx, mine.account)
        assert pin is not None
        assert own.signing_key(mine, pin.list) == wanted
        assert {notice.code for notice in tablet.keys.notices()} == {"key_changed", "device_removed"}


async def test_a_device_that_leaves_by_itself_takes_no_key_along(newcomer: Newcomer, place: Places) -> None:
    ann = await newcomer("ann")
    name = (await ann.who_am_i()).username
    async with linking(place("phone"), name, by(ann)) as phone:
        await phone.keys.revoke(phone.device_id, PASSWORD)
        assert await ann.keys.listed() == {ann.device_id}
        with session_of(ann).store.reading() as tx:
            mine = own.load(tx)
            pin = pins.pinned(tx, mine.account)
        assert pin is not None
        assert own.signing_key(mine, pin.list)


async def test_a_wiped_device_is_taken_off_and_the_account_key_stays(newcomer: Newcomer, place: Places) -> None:
    ann = await newcomer("ann")
    name = (await ann.who_am_i()).username
    async with linking(place("phone"), name, by(ann)) as phone:
        with session_of(ann).store.reading() as tx:
            before = own.load(tx).account_key
        await ann.keys.revoke(phone.device_id, None)
        with session_of(ann).store.reading() as tx:
            assert own.load(tx).account_key == before
        assert await ann.keys.listed() == {ann.device_id}


async def test_a_new_account_key_whose_answer_was_lost_is_in_use_the_next_time(
    newcomer: Newcomer, place: Places, monkeypatch: pytest.MonkeyPatch
) -> None:
    ann = await newcomer("ann")
    name = (await ann.who_am_i()).username
    put_list = api.put_list
    async with linking(place("phone"), name, by(ann)) as phone:
        gone = phone.device_id

        async def lost(session: Session, change: object) -> None:
            await put_list(session, change)  # type: ignore[arg-type]
            raise ClientError("unreachable")

        with monkeypatch.context() as patch:
            patch.setattr(api, "put_list", lost)
            with pytest.raises(ClientError):
                await ann.keys.revoke(gone, PASSWORD)
        await pins.refresh(session_of(ann), [(await ann.who_am_i()).id])
        with session_of(ann).store.reading() as tx:
            mine = own.load(tx)
            pin = pins.pinned(tx, mine.account)
        assert pin is not None
        assert own.signing_key(mine, pin.list)
