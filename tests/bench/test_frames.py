"""A prebuilt frame is what the server reads, and what comes back says who sent it and when."""

from datetime import UTC, datetime
from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aparte.bench.frames import BODY_BYTES, FIRST_REF, SENDERS, Scanner, SendTemplate, Stamp, elapsed
from aparte.wire import frames, kinds
from aparte.wire.codec import ENCODERS, Decoder, Encoding
from aparte.wire.ids import AccountId, ConversationId, DeviceId, EntryId, Position
from aparte.wire.messages import Entry, SendMessage

AT = datetime(2030, 1, 2, 3, 4, 5, 678_000, UTC)
ROOM = ConversationId(uuid4())
encodings = st.sampled_from(["json", "msgpack"])
moments = st.integers(0, 2**48 - 1)
senders = st.integers(0, SENDERS - 1)


def payload_of(frame: bytes) -> bytes:
    """The payload of a frame of a few hundred bytes whose masking key is zero."""
    assert frame[1] == 0x80 | 126
    assert frame[4:8] == bytes(4)
    assert int.from_bytes(frame[2:4], "big") == len(frame) - 8
    return frame[8:]


def read(frame: bytes, encoding: Encoding) -> frames.Send:
    """The frame as the server reads it."""
    sent = Decoder(frames.FromClient, encoding)(payload_of(frame))
    assert isinstance(sent, frames.Send)
    return sent


def entry_of(message: SendMessage, seq: int) -> frames.Live:
    """The entry that the server pushes for a message."""
    entry = EntryId(uuid4())
    return frames.Live(
        ROOM,
        Entry(
            seq=seq,
            id=entry,
            kind=kinds.MESSAGE,
            at=AT,
            account=AccountId(uuid4()),
            device=DeviceId(uuid4()),
            client_message_id=message.client_message_id,
            ordinal=seq,
            body=message.content,
        ),
    )


@given(encoding=encodings, at=moments, sender=senders, before=st.integers(0, 20))
def test_every_frame_of_a_template_is_a_message_of_its_own(
    encoding: Encoding, at: int, sender: int, before: int
) -> None:
    template = SendTemplate(encoding, ROOM, sender)
    earlier = [read(template.frame(at), encoding) for _ in range(before)]
    sent = read(template.frame(at), encoding)
    assert sent.conversation == ROOM
    assert sent.ref == FIRST_REF + before
    assert len(sent.message.content.text.encode()) == BODY_BYTES
    assert sent.message.client_message_id not in {frame.message.client_message_id for frame in earlier}
    assert sent.message.client_message_id.version == 4


@given(encoding=encodings, at=moments, sender=senders, seq=st.integers(1, 2**53 - 1), offset=st.integers(0, 50))
def test_an_entry_tells_who_sent_it_and_when(encoding: Encoding, at: int, sender: int, seq: int, offset: int) -> None:
    message = read(SendTemplate(encoding, ROOM, sender).frame(at), encoding).message
    live = entry_of(message, seq)
    frame = ENCODERS[encoding](live)
    data = bytes(offset) + frame + b"whatever follows"
    scanner = Scanner(encoding)
    assert scanner.kind(data, offset) == b"entr"
    assert scanner.stamp(data, offset, offset + len(frame)) == Stamp(at, sender)
    assert scanner.position(frame) == (ROOM, Position(seq, live.entry.id))


@pytest.mark.parametrize("encoding", ["json", "msgpack"])
def test_a_frame_that_was_pushed_for_no_message_has_no_stamp(encoding: Encoding) -> None:
    entry = Entry(1, EntryId(uuid4()), kinds.JOINED, AT, AccountId(uuid4()))
    data = ENCODERS[encoding](frames.Live(ROOM, entry))
    following = payload_of(SendTemplate(encoding, ROOM, 1).frame(1))
    assert Scanner(encoding).stamp(data + following, 0, len(data)) is None


@pytest.mark.parametrize("encoding", ["json", "msgpack"])
@pytest.mark.parametrize(
    ("frame", "kind"),
    [
        (frames.Sent(FIRST_REF, ROOM, 1, EntryId(uuid4()), AT), b"sent"),
        (frames.Error("rate_limited", 1), b"erro"),
        (frames.Receipts(ROOM, AccountId(uuid4()), "delivered", 5), b"rece"),
        (frames.Welcome("m", 0, AT), b"welc"),
    ],
)
def test_kinds_of_frames_are_told_apart(encoding: Encoding, frame: frames.FromServer, kind: bytes) -> None:
    assert Scanner(encoding).kind(ENCODERS[encoding](frame), 0) == kind


@given(at=moments, micros=st.integers(0, 10**9))
def test_the_time_between_two_moments_survives_the_clock_s_turning(at: int, micros: int) -> None:
    assert elapsed(Stamp(at, 0), at + micros) == micros
    assert elapsed(Stamp(at, 0), at + micros + 2**48) == micros
