"""The vectors of groups, from fixed seeds: links, cards, payloads, grants; `layer_vectors.py` writes them."""

from typing import Any

import msgspec
from tests.e2ee.membership_vectors import Story, flipped
from tests.e2ee.people import seeded

from aparte.e2ee import container, device_list, grant, invite, invite_card, payload
from aparte.e2ee.group import Distribution
from aparte.e2ee.invite import Invite
from aparte.e2ee.invite_card import Card
from aparte.e2ee.keys import KeyPair
from aparte.e2ee.padding import pad
from aparte.e2ee.primitives import sha256

SEED, SECOND_SEED = b"\x05" * 16, b"\x06" * 16


def invites() -> dict[str, Any]:
    rows = []
    for seed in (SEED, SECOND_SEED, bytes(16), b"\xff" * 16):
        conversation, key = sha256(seed)[:16], invite.link_key(seed)
        rows.append(
            {
                "conversation": conversation.hex(),
                "seed": seed.hex(),
                "text": invite.text(Invite(conversation, seed)),
                "private": key.private.hex(),
                "public": key.public.serialize().hex(),
                "id": invite.link_id(key.public).hex(),
            }
        )
    written = rows[0]["text"]
    last = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    uncanonical = written[:-1] + last[last.index(written[-1]) ^ 1]
    refused = ["", written[:-1], written + "A", written + "=", "+" + written[1:], uncanonical, "é" + written[1:]]
    return {"invites": rows, "refused_texts": refused, "cards": invite_cards(), "refused_cards": bad_cards()}


CARD_SALT = bytes(range(64, 96))


def invite_cards() -> list[dict[str, Any]]:
    """What links say of their groups."""
    rows = []
    for seed, card in (
        (SEED, Card(name="Tea party")),
        (SEED, Card(name="Le club de thé 🍵", topic="every day at six", description="Bring cups.\nAnd no dormouse.")),
        (SECOND_SEED, Card(name="n" * 100, topic="t" * 500, description="d" * 2_000)),
    ):
        rows.append(
            {
                "seed": seed.hex(),
                "key": invite_card.card_key(seed).hex(),
                "salt": CARD_SALT.hex(),
                "name": card.name,
                "topic": card.topic,
                "description": card.description,
                "container": invite_card.seal(seed, card, lambda _: CARD_SALT).hex(),
            }
        )
    return rows


def bad_cards() -> list[dict[str, str]]:
    """Containers that open to no card under the first seed."""
    key, pack = invite_card.card_key(SEED), msgspec.msgpack.encode
    good = pack({"v": 1, "name": "Tea party"})
    wrong = {
        "of another purpose": container.seal(key, grant.PURPOSE, pad(good), lambda _: CARD_SALT),
        "not padded": container.seal(key, invite_card.PURPOSE, good, lambda _: CARD_SALT),
        "under another seed": invite_card.seal(SECOND_SEED, Card(name="Tea party"), lambda _: CARD_SALT),
    }
    for why, data in {
        "a blank name": pack({"v": 1, "name": " "}),
        "no name": pack({"v": 1, "topic": "x"}),
        "a name too long": pack({"v": 1, "name": "x" * 101}),
        "a topic too long": pack({"v": 1, "name": "x", "topic": "x" * 501}),
        "a description too long": pack({"v": 1, "name": "x", "description": "x" * 2_001}),
        "not in its one form": good + b"\xc0",
    }.items():
        wrong[why] = container.seal(key, invite_card.PURPOSE, pad(data), lambda _: CARD_SALT)
    return [{"why": why, "container": data.hex()} for why, data in wrong.items()]


CONVERSATION, HASH, KEY = b"\xc0" * 16, b"\x44" * 32, bytes(range(32))
CHAIN = Distribution(CONVERSATION, 7, 3, KEY, KeyPair.generate(seeded(301)).public).serialize()
OBJECT = {"object": b"\x0b" * 16, "key": KEY, "sha256": HASH}


def group_payloads(listed: device_list.Signed) -> list[tuple[str, payload.Payload]]:
    """What devices of a group say to each other; the last with a device list."""
    triples = grant.pack([grant.Triple(41, KEY, HASH), grant.Triple(7, HASH, KEY)])
    statements = Story()
    statements.note(statements.group.link(statements.alice, SEED))
    statements.note(statements.group.join(statements.erin, SEED))
    said = (statements.group.chain[0], statements.group.chain[2])
    return [
        ("chain", payload.Chain(CONVERSATION, CHAIN)),
        ("history passed on", payload.PassedOn(conversation=CONVERSATION, triples=triples)),
        ("history passed on", payload.PassedOn(conversation=CONVERSATION, **OBJECT)),
        ("signed lists", payload.SignedLists((), said)),
        ("signed lists", payload.SignedLists((listed,), said)),
    ]


def bad_group_payloads() -> list[bytes]:
    about = {"v": 1, "conversation": CONVERSATION}
    triples = grant.pack([grant.Triple(41, KEY, HASH)])
    chains = [b"", b"\xc1" * 16 + CHAIN, CONVERSATION + CHAIN[:-1], CHAIN, CONVERSATION]
    passed_on = [
        about,
        {"v": 1} | OBJECT,
        about | {"triples": b""},
        about | {"triples": triples[:-1]},
        about | {"triples": triples + triples},
        about | {"triples": bytes(72)},
        about | {"triples": b"".join(grant.pack([grant.Triple(at, HASH, HASH)]) for at in range(1, 52))},
        about | OBJECT | {"triples": triples},
        about | OBJECT | {"key": bytes(31)},
        about | {"object": OBJECT["object"], "key": KEY},
    ]
    lengths = (0, 1, 165, 228, 230, 292, 294)
    items = [b"\3" + length.to_bytes(2, "big") + bytes(length) for length in lengths]
    return [
        *(b"\2" + data for data in chains),
        *(b"\6" + msgspec.msgpack.encode(said) for said in passed_on),
        *(b"\7" + item for item in items),
    ]


def grants() -> dict[str, Any]:
    key, salt = sha256(b"grant key"), sha256(b"grant salt")
    cases = [
        [grant.Triple(number, sha256(bytes([number])), sha256(b"hash")) for number in row] for row in ([1], [9, 2])
    ]
    packed = grant.pack(cases[1])
    refused = [b"", packed[:-1], packed + b"\0", packed + packed, bytes(72), b"\xff" * 8 + bytes(64)]
    sealed = grant.seal(key, cases[1], lambda _: salt)
    wrong = [flipped(sealed, 90), sealed[:-1], container.seal(key, b"link", packed, lambda _: salt)]
    wrong.append(container.seal(key, grant.PURPOSE, b"no triples", lambda _: salt))
    return {
        "key": key.hex(),
        "salt": salt.hex(),
        "grants": [
            {
                "triples": [[triple.number, triple.key.hex(), triple.hash.hex()] for triple in case],
                "packed": grant.pack(case).hex(),
                "container": grant.seal(key, case, lambda _: salt).hex(),
            }
            for case in cases
        ],
        "refused": [data.hex() for data in refused],
        "refused_containers": [data.hex() for data in wrong],
    }
