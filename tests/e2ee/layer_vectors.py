"""Writes the vectors of `docs/protocol/e2ee.md` from fixed seeds: `python -m tests.e2ee.layer_vectors`.

They are written anew only together with the page; `test_layer_vectors.py` holds that they are what is made here.
"""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
from tests.e2ee.group_vectors import bad_group_payloads, grants, group_payloads, invites
from tests.e2ee.membership_vectors import memberships
from tests.e2ee.people import seeded
from tests.e2ee.record_vectors import records

from aparte.e2ee import container, content, device_list, entry, linking, payload
from aparte.e2ee.device_list import NO_LIST, DeviceList, ListedDevice, Signed
from aparte.e2ee.entry import Head
from aparte.e2ee.keys import KeyPair
from aparte.e2ee.primitives import sha256
from aparte.e2ee.roster import NO_STATEMENT, direct_id, roster
from aparte.e2ee.spqr import mlkem_split

FOLDER = Path(__file__).parents[2] / "docs" / "vectors"
ACCOUNT, DEVICE, HASH = b"\xa0" * 16, b"\xd0" * 16, b"\x44" * 32
pack = msgspec.msgpack.encode


def pair(seed: int) -> KeyPair:
    return KeyPair.generate(seeded(seed))


def flipped(data: bytes, at: int) -> bytes:
    """One bit is another."""
    return data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]


# Entries -------------------------------------------------------------------------------------------------------------


def entries() -> dict[str, Any]:
    key = bytes(range(32))
    first = Head(1, b"\xc0" * 16, ACCOUNT, DEVICE, 7, b"\x11" * 32, 1, b"\x22" * 16)
    made = [_entry(first, bytes.fromhex("81a17601"), key)]
    prev = bytes.fromhex(made[0]["hash"])
    for counter, (kind, length) in enumerate([(1, 159), (2, 160), (4, 161), (3, 0)], start=2):
        target = HASH if kind > 1 else entry.ZERO_HASH
        head = Head(
            kind, first.conversation, ACCOUNT, DEVICE, 8, b"\x12" * 32, counter, bytes([counter]) * 16, prev, target
        )
        made.append(_entry(head, seeded(counter)(length), sha256(bytes([counter]))))
        prev = bytes.fromhex(made[-1]["hash"])
    sealed = bytes.fromhex(made[0]["sealed"])
    refused = [flipped(sealed, 0), flipped(sealed, 191), sealed[:-1], sealed[160:], b"", sealed + bytes(160)]
    return {
        "entries": made,
        "refused_instead_of_the_first": [data.hex() for data in refused],
        "contents": [{"kind": kind, "content": content.encode(said).hex()} for kind, said in _contents()],
        "refused_contents": [{"kind": kind, "content": data.hex(), "why": why} for kind, data, why in _bad_contents()],
        "newer": [
            {"kind": 9, "content": pack({"v": 1, "at": 1}).hex()},
            {"kind": 1, "content": pack({"v": 2, "at": 1, "text": "x"}).hex()},
            {"kind": 1, "content": pack({"v": 1, "at": 1, "text": "x", "files": [{}]}).hex()},
        ],
    }


def _entry(head: Head, said: bytes, key: bytes) -> dict[str, Any]:
    sealed = entry.seal(head, said, key)
    fields = {"kind": head.kind, "epoch": head.epoch, "counter": head.counter}
    for name in ("conversation", "account", "device", "roster", "client_id", "prev", "target"):
        fields[name] = getattr(head, name).hex()
    return fields | {
        "head": head.serialize().hex(),
        "key": key.hex(),
        "content": said.hex(),
        "sealed": sealed.hex(),
        "hash": entry.entry_hash(head, sha256(sealed)).hex(),
    }


def _contents() -> list[tuple[int, content.Content]]:
    full = content.Text(
        at=1_800_000_000_000, after=(41, HASH), text="Grüß dich 👋", format="markdown", mentions=(ACCOUNT,), reply=HASH,
        forwarded=True, ttl=("reading", 60), due=1_800_000_060_000,
    )  # fmt: skip
    profile = content.Profile(
        at=9, after=(1, HASH), name="x" * 100, topic="Grüße", description="d", welcome="Willkommen", rules="1. ♟\n2. ♙",
    )  # fmt: skip
    return [
        (1, content.Text(at=0, text="x")),
        (1, full),
        (2, content.Text(at=5, text="y" * 4_000)),
        (3, content.Deletion(at=6, on=True)),
        (3, content.Deletion(at=7, on=False, key=bytes(range(32)))),
        (4, content.Reaction(at=8, emoji="👍🏽", on=True)),
        (5, content.Pin(at=9, on=False)),
        (6, content.Profile(at=9, name="Schach am Montag ♟")),
        (6, profile),
        (7, content.Settings(at=10, ttl=("sending", 3_600))),
        (7, content.Settings(at=11)),
    ]


def _bad_contents() -> list[tuple[int, bytes, str]]:
    text: dict[str, Any] = {"v": 1, "at": 1, "text": "x"}
    deep: Any = 1
    for _ in range(8):
        deep = [deep]
    return [
        (1, b"", "nothing"),
        (1, pack([1]), "not a map"),
        (1, pack(text)[:-1], "cut off"),
        (1, pack(text) + b"\0", "something after it"),
        (1, bytes.fromhex("83a17601a26174cc01a474657874a178"), "a long form"),
        (1, bytes.fromhex("84a17601a2617401a26174") + bytes.fromhex("02a474657874a178"), "a key twice"),
        (1, pack(text | {"more": 1.0}), "a float"),
        (1, bytes.fromhex("84a17601a2617401a474657874a178a16dd4ff00"), "an extension"),
        (1, pack(text | {"more": 2**53}), "an integer that is not safe"),
        (1, pack(text | {"more": {1: 2}}), "a key that is no text"),
        (1, pack(text | {"more": deep}), "9 deep"),
        (1, pack(text | {"text": ""}), "no text"),
        (1, pack(text | {"text": " \u2003\n"}), "blank"),
        (1, pack(text | {"text": "a\0b"}), "NUL"),
        (1, pack(text | {"text": "x" * 4_001}), "4,001 characters"),
        (1, pack(text | {"at": -1}), "before 1970"),
        (1, pack(text | {"at": True}), "another type"),
        (1, pack(text | {"after": [0, HASH]}), "number 0"),
        (1, pack(text | {"after": [1, HASH[1:]]}), "a hash of 31 bytes"),
        (1, pack(text | {"mentions": [ACCOUNT] * 51}), "51 mentions"),
        (1, pack(text | {"ttl": ["sending", 4]}), "4 seconds"),
        (1, pack(text | {"ttl": ["reading", 2_419_201]}), "28 days and a second"),
        (1, pack(text | {"due": -1}), "due before 1970"),
        (1, pack({"at": 1, "text": "x"}), "no version"),
        (1, pack({"v": 1, "text": "x"}), "no time"),
        (3, pack({"v": 1, "at": 1, "on": False}), "a restoration without its key"),
        (3, pack({"v": 1, "at": 1, "on": True, "key": HASH}), "a deletion with a key"),
        (4, pack({"v": 1, "at": 1, "on": True, "emoji": "x" * 21}), "21 characters"),
        (5, pack({"v": 1, "at": 1}), "neither on nor off"),
        (6, pack({"v": 1, "at": 1}), "no name"),
        (6, pack({"v": 1, "at": 1, "name": ""}), "an empty name"),
        (6, pack({"v": 1, "at": 1, "name": "\u3000"}), "a blank name"),
        (6, pack({"v": 1, "at": 1, "name": "x" * 101}), "a name of 101 characters"),
        (6, pack({"v": 1, "at": 1, "name": "x", "topic": "x" * 501}), "a topic of 501 characters"),
        (6, pack({"v": 1, "at": 1, "name": "x", "description": "x" * 2_001}), "a description of 2,001 characters"),
        (6, pack({"v": 1, "at": 1, "name": "x", "welcome": "x" * 2_001}), "a welcome of 2,001 characters"),
        (6, pack({"v": 1, "at": 1, "name": "x", "rules": "x" * 4_001}), "rules of 4,001 characters"),
        (6, pack({"v": 1, "at": 1, "name": "x", "topic": None}), "no text"),
        (7, pack({"v": 1, "at": 1, "ttl": ["never", 1]}), "an unknown beginning"),
    ]


# Lists, rosters ------------------------------------------------------------------------------------------------------


def device(number: int, seed: int | None = None) -> ListedDevice:
    """A device whose ids and identity follow from its number, or from the seed."""
    made = seed or number
    return ListedDevice(number, bytes([made]) * 16, 100 + made, pair(made).public)


def following(known: DeviceList, *devices: ListedDevice, key: KeyPair | None = None) -> DeviceList:
    """The next version, with these devices."""
    account_key = key.public if key else known.account_key
    return DeviceList(known.account, account_key, known.version + 1, known.hash, devices)


def device_lists() -> dict[str, Any]:
    one, two, three = pair(201), pair(202), pair(203)
    draw = seeded(7)
    v1 = DeviceList(ACCOUNT, one.public, 1, NO_LIST, (device(1),))
    v2 = following(v1, device(1), device(2))
    v3 = following(v2, device(2), key=two)
    v4 = following(v3, device(2), device(3), key=three)
    v5 = following(v4)
    signed = [
        ("first", v1, device_list.sign(v1, one, draw)),
        ("same", v2, device_list.sign(v2, one, draw)),
        ("rotation", v3, device_list.sign(v3, two, draw, previous_key=one)),
        ("reset", v4, device_list.sign(v4, three, draw)),
        ("same", v5, device_list.sign(v5, three, draw)),
    ]
    good = signed[1][2]
    gap = DeviceList(ACCOUNT, one.public, 3, v1.hash, (device(1),))
    foreign = DeviceList(b"\xa1" * 16, one.public, 2, v1.hash, (device(1),))
    unchained = DeviceList(ACCOUNT, one.public, 2, HASH, (device(1),))
    refused: list[tuple[int, Signed, str]] = [
        (1, Signed(good.list, flipped(good.signature, 3)), "an altered signature"),
        (1, Signed(flipped(good.list, 120), good.signature), "an altered list"),
        (1, Signed(good.list, good.signature, good.signature), "a second signature under the same key"),
        (1, device_list.sign(gap, one, draw), "a gap"),
        (1, device_list.sign(foreign, one, draw), "another account"),
        (1, device_list.sign(unchained, one, draw), "another hash before"),
        (2, good, "the same version again"),
        (2, Signed(signed[2][2].list, signed[2][2].signature, flipped(good.signature, 5)), "a false rotation"),
        (1, _unsorted(v2, one), "devices in another order"),
        (2, device_list.sign(following(v2, device(1), device(2), device(3, 2)), one, draw), "an identity twice"),
        (2, device_list.sign(following(v2, device(1), ListedDevice(3, bytes([2]) * 16, 5, pair(3).public)), one, draw),
         "a device under another number"),
        (5, device_list.sign(following(v5, device(1)), three, draw), "after the end"),
    ]  # fmt: skip
    return {
        "versions": [_signed(row) | {"change": change, "hash": made.hash.hex()} for change, made, row in signed],
        "refused": [_signed(row) | {"after_version": version, "why": why} for version, row, why in refused],
    }


def _unsorted(proper: DeviceList, key: KeyPair) -> Signed:
    data = proper.serialize()
    data = data[:108] + data[162:216] + data[108:162]
    return Signed(data, key.sign(data, seeded(8)))


def _signed(signed: Signed) -> dict[str, Any]:
    second = signed.previous_signature
    return {
        "list": signed.list.hex(),
        "signature": signed.signature.hex(),
        "previous_signature": second.hex() if second else None,
    }


def rosters() -> dict[str, Any]:
    accounts = [seeded(number)(16) for number in range(3)]
    directs = [(accounts[0], accounts[1]), (accounts[1], accounts[0]), (accounts[2], accounts[2])]
    cases = [
        (direct_id(accounts[0], accounts[1]), NO_STATEMENT, {accounts[1]: b"\x01" * 32, accounts[0]: b"\x02" * 32}),
        (direct_id(accounts[2], accounts[2]), NO_STATEMENT, {accounts[2]: b"\x03" * 32}),
        (b"\xc0" * 16, HASH, {account: sha256(account) for account in accounts}),
    ]
    return {
        "direct_ids": [{"one": a.hex(), "other": b.hex(), "id": direct_id(a, b).hex()} for a, b in directs],
        "rosters": [
            {
                "conversation": conversation.hex(),
                "statement": statement.hex(),
                "members": {account.hex(): digest.hex() for account, digest in lists.items()},
                "roster": roster(conversation, statement, lists).hex(),
            }
            for conversation, statement, lists in cases
        ],
    }


# Payloads, containers, linking ---------------------------------------------------------------------------------------


def payloads() -> dict[str, Any]:
    key, digest = bytes(range(32)), HASH
    lists = device_lists()["versions"]
    signed = [Signed(*(bytes.fromhex(row[name]) for name in ("list", "signature"))) for row in lists[:2]]
    rotation = Signed(*(bytes.fromhex(lists[2][name]) for name in ("list", "signature", "previous_signature")))
    pin = payload.PinnedAccount(ACCOUNT, pair(201).public.serialize(), 3, digest, None)
    verified = payload.PinnedAccount(ACCOUNT, pair(201).public.serialize(), 3, digest, pair(202).public.serialize())
    good: list[tuple[str, payload.Payload]] = [
        ("nothing", payload.Nothing()),
        ("keys", payload.Keys(((key, digest),))),
        ("keys", payload.Keys(((key, digest), (digest, key)))),
        ("key request", payload.KeyRequest((digest, key))),
        ("account state", payload.AccountState()),
        ("account state", payload.AccountState(account_private=pair(201).private, pins=(pin, verified))),
        *group_payloads(signed[0]),
        ("signed lists", payload.SignedLists((*signed, rotation))),
    ]
    one = payload.encode(good[1][1])
    wrong = [b"", b"\0\0", b"\1", one[:-1], one + b"\0", b"\3", b"\3" + bytes(31), b"\3" + bytes(32 * 101)]
    wrong += [b"\1" + bytes(64 * 101), b"\5", b"\5\xc0", b"\5" + pack({"v": 1, "account_private": bytes(31)})]
    wrong += [b"\7", b"\7\1", b"\7\1\0\1", b"\7\1\0\0", payload.encode(good[-1][1])[:-1], b"\7" + b"\x09\0\0" * 101]
    wrong += bad_group_payloads()
    ignored = [b"\x04", b"\6" + pack({"v": 2}), b"\x09anything", b"\xff", b"\5" + pack({"v": 2})]
    return {
        "payloads": [{"what": what, "bytes": payload.encode(said).hex()} for what, said in good],
        "ignored": [data.hex() for data in ignored],
        "refused": [data.hex() for data in wrong],
    }


def patterned(length: int) -> bytes:
    """Byte i is i mod 251."""
    return bytes(number % 251 for number in range(length))


def containers() -> dict[str, Any]:
    key, salt = sha256(b"key"), sha256(b"salt")
    whole = [(purpose, length) for purpose in ("link", "file") for length in (0, 1, 100)]
    long = [65_535, 65_536, 65_537, 131_072]
    short = container.seal(key, b"link", patterned(100), lambda _: salt)
    refused = [flipped(short, at) for at in (0, 4, 5, 37, 69, len(short) - 1)]
    refused += [short[:-1], short[:69], short[:40], short + bytes(16), b""]
    return {
        "key": key.hex(),
        "salt": salt.hex(),
        "containers": [
            {"purpose": purpose, "length": length, "container": _container(key, salt, purpose, length).hex()}
            for purpose, length in whole
        ],
        "long": [
            {"purpose": "file", "length": length, "sha256": sha256(_container(key, salt, "file", length)).hex()}
            for length in long
        ],
        "refused_for_link": [data.hex() for data in (*refused, _container(key, salt, "file", 100))],
    }


def _container(key: bytes, salt: bytes, purpose: str, length: int) -> bytes:
    return container.seal(key, purpose.encode(), patterned(length), lambda _: salt)


def linkings() -> dict[str, Any]:
    identity, account_key, theirs = pair(31), pair(201), pair(33)
    random = seeded(30)
    drawn = random(96)
    beginning = linking.begin(DEVICE, 4_711, identity.public, b"\x0f" * 16, _fixed(drawn))
    header, vector = mlkem_split.split_public_key(beginning.offer[53:])
    m = random(32)
    ct1, secret = mlkem_split.encapsulate_first(header, m)
    ciphertext = ct1 + mlkem_split.encapsulate_second(header, m, vector)
    answer = theirs.public.u + ciphertext + ACCOUNT + account_key.public.serialize()
    link = linking.answered(beginning, answer)
    listed = (ListedDevice(1, b"\xd1" * 16, 1, pair(32).public), ListedDevice(2, DEVICE, 4_711, identity.public))
    given = linking.Welcome(
        account_key.private,
        device_list.sign(DeviceList(ACCOUNT, account_key.public, 2, HASH, listed), account_key, random),
        (payload.PinnedAccount(b"\xa1" * 16, pair(34).public.serialize(), 5, HASH, pair(34).public.serialize()),),
    )
    return {
        "device": DEVICE.hex(),
        "registration_id": 4_711,
        "identity": identity.public.serialize().hex(),
        "id": beginning.id.hex(),
        "random": drawn.hex(),
        "offer": beginning.offer.hex(),
        "code_text": beginning.code_text,
        "x_o_private": theirs.private.hex(),
        "kem_secret": secret.hex(),
        "answer": answer.hex(),
        "account": ACCOUNT.hex(),
        "account_key": account_key.public.serialize().hex(),
        "box": link.box.hex(),
        "code": link.code,
        "welcome_salt": HASH.hex(),
        "welcome": linking.welcome(link.box, given, lambda _: HASH).hex(),
        "account_private": account_key.private.hex(),
        "list": given.signed.list.hex(),
        "refused_texts": _bad_texts(beginning.code_text),
        "another_code_after_answers": [flipped(answer, at).hex() for at in (40, 1_119, 1_120, 1_140)],
        "refused_offers": [flipped(beginning.offer, at).hex() for at in (1, 36, 40, 1_236)],
    }


def _bad_texts(text: str) -> list[str]:
    last = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    uncanonical = text[:-1] + last[last.index(text[-1]) ^ 1]
    return [
        "",
        text[:-1],
        text + "=",
        text + "A",
        "+" + text[1:],
        uncanonical,
        "aparte://link/2/" + text,
        "é" + text[1:],
    ]


def _fixed(data: bytes) -> Callable[[int], bytes]:
    left = bytearray(data)

    def draw(count: int) -> bytes:
        drawn = bytes(left[:count])
        del left[:count]
        return drawn

    return draw


FILES: dict[str, Callable[[], dict[str, Any]]] = {
    "entries": entries,
    "device_lists": device_lists,
    "rosters": rosters,
    "payloads": payloads,
    "containers": containers,
    "linking": linkings,
    "memberships": memberships,
    "invites": invites,
    "grants": grants,
    "records": records,
}

if __name__ == "__main__":
    for name, make in FILES.items():
        (FOLDER / f"{name}.json").write_text(json.dumps(make(), indent=1, ensure_ascii=False) + "\n")
