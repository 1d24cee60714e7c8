"""The key chains: every derivation against HKDF of another library, and what is kept and forgotten."""

import pytest
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from aparte.e2ee.errors import DuplicateMessage, InvalidMessage, InvalidState, TooFarAhead
from aparte.e2ee.spqr.chain import JUMP_MAX, KeyChain, SkippedKeys, first_chain

AUTH_KEY, SECRET = bytes(range(32)), bytes(range(32, 64))


def derive(salt: bytes, key: bytes, info: bytes, *lengths: int) -> list[bytes]:
    """HKDF-SHA256, cut into pieces."""
    output = HKDF(SHA256(), sum(lengths), salt, info).derive(key)
    return [output[sum(lengths[:n]) : sum(lengths[: n + 1])] for n in range(len(lengths))]


def step(key: bytes, index: int) -> list[bytes]:
    """The next chain key, and the key of message `index`."""
    return derive(bytes(32), key, index.to_bytes(4, "big") + b"Signal PQ Ratchet V1 Chain Next", 32, 32)


def pair() -> tuple[KeyChain, KeyChain]:
    """Both sides of epoch 0."""
    return first_chain(AUTH_KEY, initiator=True), first_chain(AUTH_KEY, initiator=False)


def test_the_keys_of_epoch_0_come_from_the_handshake() -> None:
    _, forth, back = derive(bytes(32), AUTH_KEY, b"Signal PQ Ratchet V1 Chain  Start", 32, 32, 32)
    alice, bob = pair()
    for index in (1, 2, 3):
        forth, key = step(forth, index)
        alice, sent_index, sent_key = alice.send(0)
        assert (sent_index, sent_key) == (index, key)
        back, key = step(back, index)
        bob, sent_index, sent_key = bob.send(0)
        assert (sent_index, sent_key) == (index, key)
        alice, received = alice.receive(0, index)
        assert received == key


def test_the_keys_of_an_epoch_come_from_the_root_before_and_its_secret() -> None:
    root, _, _ = derive(bytes(32), AUTH_KEY, b"Signal PQ Ratchet V1 Chain  Start", 32, 32, 32)
    root, forth, back = derive(root, SECRET, b"Signal PQ Ratchet V1 Chain Add Epoch", 32, 32, 32)
    alice, bob = (chain.add_epoch(SECRET) for chain in pair())
    assert alice.send(1)[1:] == (1, step(forth, 1)[1])
    assert bob.receive(1, 1)[1] == step(forth, 1)[1]
    assert bob.send(1)[1:] == (1, step(back, 1)[1])
    _, forth, _ = derive(root, AUTH_KEY, b"Signal PQ Ratchet V1 Chain Add Epoch", 32, 32, 32)
    assert alice.add_epoch(AUTH_KEY).send(2)[1:] == (1, step(forth, 1)[1])


def test_one_epoch_before_the_sending_one_is_kept() -> None:
    alice, bob = pair()
    keys = []
    for epoch in range(4):
        alice, index, key = alice.send(epoch)
        assert index == 1
        keys.append(key)
        alice, bob = alice.add_epoch(SECRET), bob.add_epoch(SECRET)
    bob, _, _ = bob.send(2)
    assert bob.oldest == 1
    with pytest.raises(DuplicateMessage):
        bob.receive(0, 1)
    for epoch in (3, 1, 2):
        bob, received = bob.receive(epoch, 1)
        assert received == keys[epoch]


def test_what_was_sent_cannot_be_derived_again_once_a_later_epoch_was_used() -> None:
    chain, _ = pair()
    chain = chain.add_epoch(SECRET)
    chain, _, _ = chain.send(0)
    chain, _, _ = chain.send(1)
    assert [chains.sending is None for chains in chain.chains] == [True, False]
    with pytest.raises(InvalidState):
        chain.send(0)


def test_a_message_of_an_epoch_that_is_not_here_yet_is_refused() -> None:
    with pytest.raises(InvalidMessage):
        pair()[1].receive(1, 1)


def test_the_limit_of_a_jump() -> None:
    chain, _ = pair()
    chain, _ = chain.receive(0, 10)
    with pytest.raises(TooFarAhead):
        chain.receive(0, 10 + JUMP_MAX + 1)
    chain, _ = chain.receive(0, 10 + JUMP_MAX)
    with pytest.raises(DuplicateMessage):
        chain.receive(0, 9)
    with pytest.raises(DuplicateMessage):
        chain.receive(0, 10)
    chain.receive(0, 11)


def test_skipped_keys_are_each_taken_once_and_the_old_ones_go() -> None:
    chain, _ = pair()
    chain, _ = chain.receive(0, 5)
    taken = [chain.receive(0, index)[1] for index in (1, 2, 3, 4)]
    assert len(set(taken)) == 4
    for index in (3, 1, 4, 2):
        chain, key = chain.receive(0, index)
        assert key == taken[index - 1]
        with pytest.raises(DuplicateMessage):
            chain.receive(0, index)
    assert chain.chains[0].skipped == SkippedKeys()


def test_never_more_than_the_limit_of_skipped_keys_are_kept() -> None:
    chain, _ = pair()
    for index in range(2, 3 * JUMP_MAX, 2):
        chain, _ = chain.receive(0, index)
    assert len(chain.chains[0].skipped.entries) == 36 * JUMP_MAX // 2
    chain, _ = chain.receive(0, 3 * JUMP_MAX + 1)
    chain, _ = chain.receive(0, 4 * JUMP_MAX)
    chain, _ = chain.receive(0, 5 * JUMP_MAX)
    assert len(chain.chains[0].skipped.entries) == 36 * (JUMP_MAX - 1)
    oldest = int.from_bytes(chain.chains[0].skipped.entries[:4], "big")
    assert oldest == 4 * JUMP_MAX + 1


def test_skipped_keys_come_in_whole_entries() -> None:
    with pytest.raises(ValueError, match="no whole entries"):
        SkippedKeys(bytes(35))
