"""The supply of prekeys: what is due, and what the server is told of them, which leaves private keys out."""

import secrets

from aparte.e2ee import prekeys
from aparte.e2ee.keys import KeyPair
from aparte.e2ee.prekeys import LastResortPrekey, OneTimeKemPrekey, Prekeys, SignedPrekey, Stock
from aparte.wire import keys as wire

NOTHING_THERE = Stock(0, 0)
_random = secrets.token_bytes


def first(identity: KeyPair, now: int) -> Prekeys:
    """Make all prekeys of a new device; takes a tenth of a second, give it a thread."""
    return prekeys.refill(prekeys.create(identity, now, _random), identity, NOTHING_THERE, _random)


def renewed(kept: Prekeys, identity: KeyPair, stock: Stock, now: int) -> Prekeys:
    """Make the prekeys that are due; takes a tenth of a second when they are many, give it a thread."""
    return prekeys.refill(prekeys.renew(kept, identity, now, _random), identity, stock, _random)


def merged(current: Prekeys, before: Prekeys, made: Prekeys) -> Prekeys:
    """Add what was made from an earlier state to the present one, from which prekeys may have been used meanwhile."""
    if current.next_id != before.next_id:
        return current
    uses = {key.id: key for key in current.last_resort}
    fresh = tuple(key for key in made.one_time if key.id >= before.next_id)
    fresh_kem = tuple(key for key in made.one_time_kem if key.id >= before.next_id)
    return Prekeys(
        made.next_id,
        made.signed,
        tuple(uses.get(key.id, key) for key in made.last_resort),
        (*current.one_time, *fresh)[-prekeys.ONE_TIME_KEPT_MAX :],
        (*current.one_time_kem, *fresh_kem)[-prekeys.ONE_TIME_KEPT_MAX :],
    )


def published(kept: Prekeys, start: int) -> wire.Prekeys:
    """Give what the server is told of the prekeys with ids from `start` on."""
    signed, last_resort = kept.signed[-1], kept.last_resort[-1]
    return wire.Prekeys(
        signed=_signed(signed) if signed.id >= start else None,
        last_resort=_kem(last_resort) if last_resort.id >= start else None,
        one_time=[wire.OneTimePrekey(key.id, key.pair.public.serialize()) for key in kept.one_time if key.id >= start],
        one_time_kem=[_kem(key) for key in kept.one_time_kem if key.id >= start],
    )


def _signed(key: SignedPrekey) -> wire.SignedPrekey:
    return wire.SignedPrekey(key.id, key.pair.public.serialize(), key.signature)


def _kem(key: LastResortPrekey | OneTimeKemPrekey) -> wire.KemPrekey:
    return wire.KemPrekey(key.id, key.pair.public.serialize(), key.signature)
