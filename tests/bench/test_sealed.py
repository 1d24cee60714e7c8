"""A prebuilt sealed frame is what the server reads, and each continues the chain of the one before."""

import os
from uuid import uuid4

from hypothesis import given
from hypothesis import strategies as st

from aparte.bench.frames import FIRST_REF, SENDERS
from aparte.bench.sealed import ENVELOPE_BYTES, SEALED_BYTES, Place, SealTemplate
from aparte.e2ee.entry import ZERO_HASH, Head, entry_hash
from aparte.e2ee.primitives import sha256
from aparte.wire import frames
from aparte.wire.codec import Decoder
from aparte.wire.ids import AccountId, ConversationId, DeviceId

HERE = Place(ConversationId(uuid4()), AccountId(uuid4()), DeviceId(uuid4()), 7, os.urandom(32))
OTHERS = (DeviceId(uuid4()), DeviceId(uuid4()))
read = Decoder(frames.FromClient, "msgpack")


def sealed(template: SealTemplate, at: int) -> frames.Seal:
    """The next frame of a template, as the server reads it."""
    frame = template.frame(at)
    assert frame[1] == 0x80 | 126
    assert int.from_bytes(frame[2:4], "big") == len(frame) - 8
    found = read(frame[8:])
    assert isinstance(found, frames.Seal)
    return found


@given(sender=st.integers(0, SENDERS - 1), moments=st.lists(st.integers(0, 2**48 - 1), min_size=1, max_size=200))
def test_every_frame_continues_the_chain(sender: int, moments: list[int]) -> None:
    template, prev = SealTemplate(HERE, OTHERS, sender), ZERO_HASH
    names = set()
    for count, at in enumerate(moments):
        frame = sealed(template, at)
        entry = frame.entry
        assert (frame.ref, frame.conversation) == (FIRST_REF + count, HERE.conversation)
        assert (entry.counter, entry.prev, entry.epoch, entry.roster) == (count + 1, prev, HERE.epoch, HERE.roster)
        names.add(entry.client_message_id)
        head = Head(
            kind=1,
            conversation=HERE.conversation.bytes,
            account=HERE.account.bytes,
            device=HERE.device.bytes,
            epoch=entry.epoch,
            roster=entry.roster,
            counter=entry.counter,
            client_id=entry.client_message_id.bytes,
            prev=prev,
        )
        prev = entry_hash(head, sha256(entry.sealed))
    assert len(names) == len(moments)


def test_a_frame_holds_four_hundred_bytes_of_text_and_an_envelope_for_each_other_device() -> None:
    entry = sealed(SealTemplate(HERE, OTHERS, 1), 1).entry
    assert len(entry.sealed) == SEALED_BYTES == 512
    assert [(one.device, one.type, len(one.body)) for one in entry.envelopes] == [
        (device, 2, ENVELOPE_BYTES) for device in OTHERS
    ]
