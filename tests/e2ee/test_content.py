"""Contents: writer and readers hold to the same limits, and the same bytes mean the same to everybody."""

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aparte.e2ee import canonical, content
from aparte.e2ee.content import Content, Deletion, Pin, Profile, Reaction, Settings, Text
from aparte.e2ee.errors import BadContent, NeedsNewer

pack = msgspec.msgpack.encode
KINDS = {Text: 1, Deletion: 3, Reaction: 4, Pin: 5, Profile: 6, Settings: 7}

times = st.integers(0, 2**53 - 1)
hashes = st.binary(min_size=32, max_size=32)
after = st.none() | st.tuples(st.integers(1, 2**53 - 1), hashes)
words = st.text(st.characters(exclude_characters="\0", codec="utf-8"), min_size=1, max_size=50).filter(str.strip)
texts = st.just("") | words
ttls = st.none() | st.tuples(st.sampled_from(["sending", "reading"]), st.integers(content.TTL_MIN, content.TTL_MAX))
contents: st.SearchStrategy[Any] = st.one_of(
    st.builds(
        Text, at=times, after=after, text=words, format=st.sampled_from(["text", "markdown", "html", "code"]),
        mentions=st.lists(st.binary(min_size=16, max_size=16), max_size=3).map(tuple), reply=st.none() | hashes,
        forwarded=st.booleans(), ttl=ttls, due=st.none() | times,
    ),
    st.builds(Deletion, at=times, after=after, on=st.just(True)),
    st.builds(Deletion, at=times, after=after, on=st.just(False), key=hashes),
    st.builds(Reaction, at=times, after=after, emoji=words.filter(lambda text: len(text) <= 20), on=st.booleans()),
    st.builds(Pin, at=times, after=after, on=st.booleans()),
    st.builds(Profile, at=times, after=after, name=words, topic=texts, description=texts, welcome=texts, rules=texts),
    st.builds(Settings, at=times, after=after, ttl=ttls),
)  # fmt: skip
free = st.recursive(
    st.none() | st.booleans() | times | st.binary(max_size=4) | st.text("ab", max_size=4),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("ab", max_size=3), inner, max_size=3),
    max_leaves=6,
)


@given(contents)
def test_what_is_written_is_read(said: Content) -> None:
    assert content.decode(KINDS[type(said)], content.encode(said)) == said


@given(contents, st.dictionaries(st.text("xyz", min_size=2, max_size=4), free, max_size=3))
def test_keys_we_do_not_know_are_ignored(said: Content, more: dict[str, Any]) -> None:
    fields = msgspec.msgpack.decode(content.encode(said)) | more
    assert content.decode(KINDS[type(said)], pack(fields)) == said


@given(st.binary(max_size=60) | free.map(pack), st.sampled_from([1, 2, 3, 4, 5, 6, 7, 99]))
def test_anything_else_is_refused_by_name(data: bytes, kind: int) -> None:
    with pytest.raises((BadContent, NeedsNewer)):
        content.decode(kind, data)


@given(contents, st.data())
def test_what_is_read_has_one_form(said: Content, data: st.DataObject) -> None:
    """No other bytes that are read are written as these: of a map every reordering but none of another form."""
    kind, written = KINDS[type(said)], bytearray(content.encode(said))
    bit = data.draw(st.integers(0, len(written) * 8 - 1))
    written[bit // 8] ^= 1 << bit % 8
    try:
        content.decode(kind, bytes(written))
    except (BadContent, NeedsNewer):
        return
    assert pack(msgspec.msgpack.decode(bytes(written))) == bytes(written)


@pytest.mark.parametrize(
    ("at_the_limit", "past_it"),
    [
        (Text(at=0, text="x" * 4_000), Text(at=0, text="x" * 4_001)),
        (Text(at=0, text="👋" * 4_000), Text(at=0, text="👋" * 4_001)),
        (Text(at=0, text="x"), Text(at=0, text="")),
        (Text(at=0, text=" x"), Text(at=0, text=" \n\u3000")),
        (Text(at=0, text="x"), Text(at=-1, text="x")),
        (Text(at=2**53 - 1, text="x"), Text(at=2**53, text="x")),
        (Text(at=0, text="x", after=(1, bytes(32))), Text(at=0, text="x", after=(0, bytes(32)))),
        (Text(at=0, text="x", reply=bytes(32)), Text(at=0, text="x", reply=bytes(31))),
        (Text(at=0, text="x", mentions=(bytes(16),) * 50), Text(at=0, text="x", mentions=(bytes(16),) * 51)),
        (Text(at=0, text="x", mentions=(bytes(16),)), Text(at=0, text="x", mentions=(bytes(17),))),
        (Text(at=0, text="x", ttl=("reading", 5)), Text(at=0, text="x", ttl=("reading", 4))),
        (Text(at=0, text="x", due=2**53 - 1), Text(at=0, text="x", due=-1)),
        (Settings(at=0, ttl=("sending", content.TTL_MAX)), Settings(at=0, ttl=("sending", content.TTL_MAX + 1))),
        (Reaction(at=0, emoji="x" * 20, on=True), Reaction(at=0, emoji="x" * 21, on=True)),
        (Reaction(at=0, emoji="x", on=True), Reaction(at=0, emoji=" ", on=True)),
        (Profile(at=0, name="x" * 100), Profile(at=0, name="x" * 101)),
        (Profile(at=0, name="x"), Profile(at=0, name="")),
        (Profile(at=0, name=" x"), Profile(at=0, name=" \n\u3000")),
        (Profile(at=0, name="x", topic="x" * 500), Profile(at=0, name="x", topic="x" * 501)),
        (Profile(at=0, name="x", description="x" * 2_000), Profile(at=0, name="x", description="x" * 2_001)),
        (Profile(at=0, name="x", welcome="x" * 2_000), Profile(at=0, name="x", welcome="x" * 2_001)),
        (Profile(at=0, name="x", rules="x" * 4_000), Profile(at=0, name="x", rules="x" * 4_001)),
        (Profile(at=0, name="x"), Profile(at=-1, name="x")),
        (Deletion(at=0, on=True), Deletion(at=0, on=False)),
        (Deletion(at=0, on=False, key=bytes(32)), Deletion(at=0, on=True, key=bytes(32))),
    ],
)  # fmt: skip
def test_limits(at_the_limit: Content, past_it: Content) -> None:
    assert content.encode(at_the_limit)
    with pytest.raises(BadContent):
        content.encode(past_it)


def nested(depth: int) -> dict[str, Any]:
    """A pin whose deepest array is this deep; the map is 1."""
    inner: Any = []
    for _ in range(depth - 2):
        inner = [inner]
    return {"v": 1, "at": 0, "on": True, "more": inner}


def test_depth_8_is_read_and_9_is_not() -> None:
    assert content.decode(5, pack(nested(8))) == Pin(at=0, on=True)
    for depth in (9, 500, 20_000):
        deep = pack(nested(2))[:-1] + b"\x91" * (depth - 2) + b"\x90"
        with pytest.raises(BadContent):
            content.decode(5, deep)


def test_65_000_bytes_are_read_and_one_more_is_not() -> None:
    fields = {"v": 1, "at": 0, "on": True, "more": b""}
    room = content.CONTENT_BYTES_MAX - len(pack(fields)) - 1
    assert content.decode(5, pack(fields | {"more": bytes(room)}))
    with pytest.raises(BadContent):
        content.decode(5, pack(fields | {"more": bytes(room + 1)}))


def test_a_message_with_files_is_not_shown_without_them() -> None:
    for kind in (1, 2):
        with pytest.raises(NeedsNewer):
            content.decode(kind, pack({"v": 1, "at": 0, "text": "look", "files": []}))
    assert content.decode(5, pack({"v": 1, "at": 0, "on": True, "files": []})) == Pin(at=0, on=True)


def test_a_whole_profile_fits_an_entry() -> None:
    full = Profile(
        at=2**53 - 1, after=(2**53 - 1, bytes(32)), name="👋" * 100, topic="👋" * 500, description="👋" * 2_000,
        welcome="👋" * 2_000, rules="👋" * 4_000,
    )  # fmt: skip
    assert content.decode(6, content.encode(full)) == full


def test_a_profile_with_a_picture_is_shown_without_it() -> None:
    fields = {"v": 1, "at": 0, "name": "Chess", "picture": {"object": bytes(16)}}
    assert content.decode(6, pack(fields)) == Profile(at=0, name="Chess")


def test_a_later_version_is_told_from_nonsense() -> None:
    with pytest.raises(NeedsNewer):
        content.decode(1, pack({"v": 2}))
    for version in (0, -1, True, 1.0, "1", None):
        with pytest.raises(BadContent):
            content.decode(1, pack({"v": version, "at": 0, "text": "x"}))


def test_nothing_of_a_content_is_in_its_representation() -> None:
    assert repr(Deletion(at=0, on=False, key=b"secret" * 5 + b"xx")) == "<Deletion>"
    assert repr(Text(at=0, text="secret")) == "<Text>"
    assert canonical.Map().__rich_repr__() == []
