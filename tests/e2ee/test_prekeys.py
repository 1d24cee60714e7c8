"""Our prekeys: renewed every week, kept a month, refilled in time, used once or remembered."""

import pytest
from msgspec.structs import replace
from tests.e2ee.people import NOW, Person, seeded

from aparte.e2ee import prekeys
from aparte.e2ee.errors import DuplicateMessage, UnknownPrekey
from aparte.e2ee.messages import FirstMessage
from aparte.e2ee.prekeys import Prekeys, Stock, Use

DAY = 86_400_000


def renew(person: Person, days: int) -> None:
    person.prekeys = prekeys.renew(person.prekeys, person.own.identity, NOW + days * DAY, person.random)


def first_messages(alice: Person, bob: Person, *, one_time: bool) -> FirstMessage:
    alice.set_up(bob, one_time=one_time)
    return FirstMessage.deserialize(alice.encrypt(bob, b"hello")[1])


def test_prekeys_are_renewed_after_seven_days_and_kept_for_thirty_more() -> None:
    bob = Person.create(2)
    seen = []
    for day in range(60):
        renew(bob, day)
        seen.append(([key.id for key in bob.prekeys.signed], [key.id for key in bob.prekeys.last_resort]))
    assert seen[6] == ([1], [2])
    assert seen[7] == ([1, 3], [2, 4])
    assert seen[36][0] == [1, 3, 5, 7, 9, 11]
    assert seen[37] == ([3, 5, 7, 9, 11], [4, 6, 8, 10, 12])
    assert all(len(signed) <= 6 for signed, _ in seen)


def test_a_device_that_was_away_for_a_year_keeps_the_prekeys_it_left_with() -> None:
    alice, bob = Person.create(1), Person.create(2)
    message = first_messages(alice, bob, one_time=False)
    for day in (365, 372, 394):
        renew(bob, day)
        prekeys.find(bob.prekeys, bob.own.identity, message)
    renew(bob, 395)
    with pytest.raises(UnknownPrekey):
        prekeys.find(bob.prekeys, bob.own.identity, message)


def test_prekeys_are_signed_by_the_identity() -> None:
    bob = Person.create(2)
    bob.bundle(one_time=True).verify()
    bob.bundle().verify()
    assert all(
        bob.identity.verify(key.pair.public.serialize(), key.signature) is None for key in bob.prekeys.one_time_kem
    )


def test_a_bundle_names_its_device_and_what_it_takes_from_the_stock() -> None:
    bob = Person.create(2)
    plain = bob.bundle()
    assert (plain.registration_id, plain.device, plain.identity) == (2, 2, bob.identity)
    assert (plain.signed_id, plain.kem_id, plain.one_time_id, plain.one_time) == (1, 2, None, None)
    full = bob.bundle(one_time=True)
    one_time, kem = bob.prekeys.one_time[-1], bob.prekeys.one_time_kem[-1]
    assert (full.one_time_id, full.one_time) == (one_time.id, one_time.pair.public)
    assert (full.kem_id, full.kem) == (kem.id, kem.pair.public)
    replace(full, signed_id=2**32 - 1, kem_id=0, one_time_id=2**32 - 1).verify()


@pytest.mark.parametrize(("left", "made"), [(0, 100), (19, 81), (20, 0), (100, 0), (500, 0)])
def test_one_time_prekeys_are_refilled_below_twenty(left: int, made: int) -> None:
    bob = Person.create(2)
    only_one_time = prekeys.refill(bob.prekeys, bob.own.identity, Stock(left, 100), bob.random)
    assert (len(only_one_time.one_time), len(only_one_time.one_time_kem)) == (made, 0)
    only_kem = prekeys.refill(bob.prekeys, bob.own.identity, Stock(100, left), bob.random)
    assert (len(only_kem.one_time), len(only_kem.one_time_kem)) == (0, made)


def test_no_id_is_given_twice() -> None:
    bob = Person.create(2)
    for week in range(3):
        renew(bob, 7 * week)
        bob.prekeys = prekeys.refill(bob.prekeys, bob.own.identity, Stock(0, 0), bob.random)
    own = bob.prekeys
    ids = [key.id for keys in (own.signed, own.last_resort, own.one_time, own.one_time_kem) for key in keys]
    assert len(ids) == len(set(ids)) == 606
    assert max(ids) < own.next_id


def test_one_time_prekeys_do_not_pile_up() -> None:
    bob = Person.create(2)
    many = tuple(prekeys.OneTimePrekey(n, bob.own.identity) for n in range(1_000))
    bob.prekeys = replace(bob.prekeys, one_time=many)
    after = prekeys.refill(bob.prekeys, bob.own.identity, Stock(10, 100), bob.random)
    assert len(after.one_time) == prekeys.ONE_TIME_KEPT_MAX
    assert after.one_time[0].id == 90


def test_the_last_resort_remembers_and_refuses_a_repeat() -> None:
    alice, bob = Person.create(1), Person.create(2)
    message = first_messages(alice, bob, one_time=False)
    prekeys.find(bob.prekeys, bob.own.identity, message)
    used = prekeys.use(bob.prekeys, message)
    assert len(used.signed) == len(used.last_resort) == 1
    with pytest.raises(DuplicateMessage):
        prekeys.find(Prekeys.deserialize(used.serialize()), bob.own.identity, message)
    other = first_messages(alice, bob, one_time=False)
    prekeys.find(used, bob.own.identity, other)


def test_the_memory_lasts_as_long_as_its_key() -> None:
    alice, bob = Person.create(1), Person.create(2)
    message = first_messages(alice, bob, one_time=False)
    bob.prekeys = prekeys.use(bob.prekeys, message)
    for day in (7, 14, 21, 28, 36):
        renew(bob, day)
        with pytest.raises(DuplicateMessage):
            prekeys.find(bob.prekeys, bob.own.identity, message)
    renew(bob, 37)
    with pytest.raises(UnknownPrekey):
        prekeys.find(bob.prekeys, bob.own.identity, message)


def test_a_full_memory_refuses_and_a_half_full_one_asks_for_a_new_key() -> None:
    alice, bob = Person.create(1), Person.create(2)
    message = first_messages(alice, bob, one_time=False)
    uses = tuple(Use(1, n.to_bytes(32, "big")) for n in range(prekeys.USES_MAX))
    last_resort = bob.prekeys.last_resort[0]
    for count, is_refused, is_renewed in ((4_999, False, False), (5_000, False, True), (10_000, True, True)):
        bob.prekeys = replace(bob.prekeys, last_resort=(replace(last_resort, uses=uses[:count]),))
        if is_refused:
            with pytest.raises(UnknownPrekey):
                prekeys.find(bob.prekeys, bob.own.identity, message)
        else:
            prekeys.find(bob.prekeys, bob.own.identity, message)
        renewed = prekeys.renew(bob.prekeys, bob.own.identity, NOW + 1, seeded(1))
        assert (len(renewed.last_resort) == 2) == is_renewed


def test_one_time_prekeys_are_used_once() -> None:
    alice, bob = Person.create(1), Person.create(2)
    message = first_messages(alice, bob, one_time=True)
    keys = prekeys.find(bob.prekeys, bob.own.identity, message)
    assert keys.one_time is not None
    used = prekeys.use(bob.prekeys, message)
    with pytest.raises(UnknownPrekey):
        prekeys.find(used, bob.own.identity, message)
    assert not used.last_resort[0].uses
