"""The vectors of `docs/protocol/e2ee.md`: what another implementation must reproduce and refuse, ours does."""

import itertools
import json
from typing import Any

import pytest
from tests.e2ee.layer_vectors import FILES, FOLDER, patterned

from aparte.e2ee import (
    container,
    content,
    device_list,
    entry,
    grant,
    invite,
    invite_card,
    linking,
    membership,
    payload,
    record,
)
from aparte.e2ee.device_list import DeviceList, Signed
from aparte.e2ee.entry import Head
from aparte.e2ee.errors import BadContent, BadList, BadStatement, E2eeError, InvalidMessage, NeedsNewer
from aparte.e2ee.keys import KeyPair, PublicKey
from aparte.e2ee.membership import Member, Membership
from aparte.e2ee.primitives import hkdf, hmac_sha256, sha256
from aparte.e2ee.roster import direct_id, roster


def load(name: str) -> Any:
    return json.loads((FOLDER / f"{name}.json").read_text())


@pytest.mark.parametrize("name", FILES)
def test_the_vectors_are_what_their_seeds_make(name: str) -> None:
    assert load(name) == FILES[name]()


def head_of(vector: dict[str, Any]) -> Head:
    raw = {name: bytes.fromhex(vector[name]) for name in ("conversation", "account", "device", "roster", "client_id")}
    links = {name: bytes.fromhex(vector[name]) for name in ("prev", "target")}
    return Head(kind=vector["kind"], epoch=vector["epoch"], counter=vector["counter"], **raw, **links)


@pytest.mark.parametrize("vector", load("entries")["entries"])
def test_entries(vector: dict[str, Any]) -> None:
    head, key, said = head_of(vector), bytes.fromhex(vector["key"]), bytes.fromhex(vector["content"])
    sealed = entry.seal(head, said, key)
    assert head.serialize().hex() == vector["head"]
    assert sealed.hex() == vector["sealed"]
    assert entry.open_(head, sealed, key) == said
    assert entry.entry_hash(head, sha256(sealed)).hex() == vector["hash"]


def test_the_first_entry_is_the_one_that_was_agreed_on() -> None:
    first = load("entries")["entries"][0]
    assert first["key"] == bytes(range(32)).hex()
    assert first["sealed"].startswith("c57c0eb84736592e")
    assert first["sealed"].endswith("a2b0a2edd945568a")
    assert first["hash"] == "4db954c2d0ffe1e4fc0fb152d5f7d71a029d51cb6d1d899f604ad52dd41a5366"


def test_entries_that_are_not_what_was_sealed() -> None:
    vectors = load("entries")
    first = vectors["entries"][0]
    for sealed in vectors["refused_instead_of_the_first"]:
        with pytest.raises(InvalidMessage):
            entry.open_(head_of(first), bytes.fromhex(sealed), bytes.fromhex(first["key"]))


def test_contents() -> None:
    vectors = load("entries")
    for vector in vectors["contents"]:
        data = bytes.fromhex(vector["content"])
        assert content.encode(content.decode(vector["kind"], data)) == data
    for vector in vectors["newer"]:
        with pytest.raises(NeedsNewer):
            content.decode(vector["kind"], bytes.fromhex(vector["content"]))


@pytest.mark.parametrize("vector", load("entries")["refused_contents"], ids=lambda vector: vector["why"])
def test_contents_that_are_refused(vector: dict[str, Any]) -> None:
    with pytest.raises(BadContent):
        content.decode(vector["kind"], bytes.fromhex(vector["content"]))


def signed_of(vector: dict[str, Any]) -> Signed:
    second = vector["previous_signature"]
    return Signed(
        bytes.fromhex(vector["list"]),
        bytes.fromhex(vector["signature"]),
        bytes.fromhex(second) if second is not None else None,
    )


def test_a_chain_of_device_lists() -> None:
    vectors = load("device_lists")["versions"]
    first, *others = vectors
    known = device_list.verify_first(signed_of(first), bytes.fromhex(first["list"])[18:34])
    assert known.hash.hex() == first["hash"]
    for vector in others:
        succession = device_list.verify_next(known, signed_of(vector))
        known = succession.list
        assert (succession.change, known.hash.hex()) == (vector["change"], vector["hash"])
    assert {vector["change"] for vector in vectors} == {"first", "same", "rotation", "reset"}


@pytest.mark.parametrize("vector", load("device_lists")["refused"], ids=lambda vector: vector["why"])
def test_lists_that_do_not_follow(vector: dict[str, Any]) -> None:
    before = load("device_lists")["versions"][vector["after_version"] - 1]
    with pytest.raises(BadList):
        device_list.verify_next(DeviceList.deserialize(bytes.fromhex(before["list"])), signed_of(vector))


def test_rosters_and_ids_of_direct_conversations() -> None:
    vectors = load("rosters")
    for vector in vectors["direct_ids"]:
        assert direct_id(bytes.fromhex(vector["one"]), bytes.fromhex(vector["other"])).hex() == vector["id"]
    for vector in vectors["rosters"]:
        members = {bytes.fromhex(account): bytes.fromhex(digest) for account, digest in vector["members"].items()}
        conversation, statement = bytes.fromhex(vector["conversation"]), bytes.fromhex(vector["statement"])
        for order in itertools.permutations(members):
            mixed = {account: members[account] for account in order}
            assert roster(conversation, statement, mixed).hex() == vector["roster"]


def test_payloads() -> None:
    vectors = load("payloads")
    for vector in vectors["payloads"]:
        found = payload.decode(bytes.fromhex(vector["bytes"]))
        assert found is not None
        assert payload.encode(found).hex() == vector["bytes"]
    for data in vectors["ignored"]:
        assert payload.decode(bytes.fromhex(data)) is None
    for data in vectors["refused"]:
        with pytest.raises(InvalidMessage):
            payload.decode(bytes.fromhex(data))


def test_containers() -> None:
    vectors = load("containers")
    key, salt = bytes.fromhex(vectors["key"]), bytes.fromhex(vectors["salt"])
    for vector in vectors["containers"] + vectors["long"]:
        purpose, data = vector["purpose"].encode(), patterned(vector["length"])
        sealed = container.seal(key, purpose, data, lambda _: salt)
        assert vector.get("container", sealed.hex()) == sealed.hex()
        assert vector.get("sha256", sha256(sealed).hex()) == sha256(sealed).hex()
        assert container.open_(key, purpose, sealed) == data
    for sealed in vectors["refused_for_link"]:
        with pytest.raises(InvalidMessage):
            container.open_(key, container.LINK, bytes.fromhex(sealed))


def begun(vector: dict[str, Any]) -> linking.Beginning:
    pair, seed = KeyPair.from_private(bytes.fromhex(vector["random"])[:32]), bytes.fromhex(vector["random"])[32:]
    return linking.Beginning(bytes.fromhex(vector["id"]), pair, seed, bytes.fromhex(vector["offer"]))


def test_linking_on_the_new_device() -> None:
    vector = load("linking")
    parts = iter((bytes.fromhex(vector["random"])[:32], bytes.fromhex(vector["random"])[32:]))
    identity = PublicKey.deserialize(bytes.fromhex(vector["identity"]))
    device, offer_id = bytes.fromhex(vector["device"]), bytes.fromhex(vector["id"])
    beginning = linking.begin(device, vector["registration_id"], identity, offer_id, lambda _: next(parts))
    assert beginning == begun(vector)
    assert beginning.code_text == vector["code_text"]
    link = linking.answered(beginning, bytes.fromhex(vector["answer"]))
    assert (link.account.hex(), link.account_key.serialize().hex()) == (vector["account"], vector["account_key"])
    assert (link.code, link.box.hex()) == (vector["code"], vector["box"])
    given = linking.open_welcome(link.box, bytes.fromhex(vector["welcome"]))
    assert given.account_private.hex() == vector["account_private"]
    assert linking.check_welcome(beginning, link, given).serialize().hex() == vector["list"]
    assert linking.welcome(link.box, given, lambda _: bytes.fromhex(vector["welcome_salt"])).hex() == vector["welcome"]


def test_linking_on_the_old_device() -> None:
    """With the secret of its encapsulation, which a reply draws anew: the derivation alone."""
    vector = load("linking")
    for text in (vector["code_text"], linking.LINK_PREFIX + vector["code_text"]):
        invitation = linking.parse_text(text)
        assert invitation == begun(vector).invitation
    agreed = KeyPair.from_private(bytes.fromhex(vector["x_o_private"])).agree(invitation.x_n)
    seen = invitation.id + invitation.x_n.u + sha256(bytes.fromhex(vector["offer"])) + bytes.fromhex(vector["answer"])
    derived = hkdf(
        sha256(b"aparte-link-v1\0" + seen), agreed + bytes.fromhex(vector["kem_secret"]), b"aparte-link-v1", 64
    )
    assert derived[:32].hex() == vector["box"]
    number = int.from_bytes(hmac_sha256(derived[32:], b"code")[:8], "big") % 1_000_000
    assert f"{number:06}" == vector["code"]


def test_what_linking_refuses() -> None:
    vector = load("linking")
    beginning = begun(vector)
    for text in vector["refused_texts"]:
        with pytest.raises(E2eeError):
            linking.parse_text(text)
    for offer in vector["refused_offers"]:
        with pytest.raises(E2eeError):
            linking.read_offer(beginning.invitation, bytes.fromhex(offer))
    for answer in vector["another_code_after_answers"]:
        assert linking.answered(beginning, bytes.fromhex(answer)).code != vector["code"]


class Keys:
    """What a reader of `memberships.json` knows of everybody's account keys."""

    def __init__(self, accounts: list[dict[str, Any]]) -> None:
        self.lines: dict[bytes, list[tuple[int, bytes]]] = {}
        for account in accounts:
            line, rows = 0, []
            for key in account["keys"]:
                line += key["change"] == "reset"
                assert KeyPair.from_private(bytes.fromhex(key["private"])).public.serialize().hex() == key["public"]
                rows.append((line, bytes.fromhex(key["public"])))
            self.lines[bytes.fromhex(account["id"])] = rows

    def place(self, account: bytes, key33: bytes) -> tuple[int, int]:
        """Line and version of a key."""
        rows = self.lines[account]
        at = [key for _, key in rows].index(key33)
        return rows[at][0], at

    def follows(self, account: bytes, admitted: bytes, other: bytes) -> bool:
        before, after = self.place(account, admitted), self.place(account, other)
        return before[0] == after[0] and before[1] <= after[1]

    def is_other_line(self, account: bytes, admitted: bytes, other: bytes) -> bool:
        return self.place(account, admitted)[0] < self.place(account, other)[0]


def fold(state: Membership | None, vector: dict[str, Any], keys: Keys) -> Membership:
    second = vector["link_signature"]
    signed = membership.Signed(
        bytes.fromhex(vector["statement"]),
        bytes.fromhex(vector["signature"]),
        bytes.fromhex(second) if second is not None else None,
    )
    actor_key = PublicKey.deserialize(bytes.fromhex(vector["actor_key"]))
    statement = membership.verify(signed, actor_key, state, keys.follows)
    return membership.begin(statement) if state is None else membership.apply(state, statement, keys.is_other_line)


def folded() -> tuple[list[Membership], Keys]:
    vectors = load("memberships")
    keys, states = Keys(vectors["accounts"]), []
    for vector in vectors["statements"]:
        states.append(fold(states[-1] if states else None, vector, keys))
    return states, keys


def test_a_chain_of_statements() -> None:
    vectors = load("memberships")
    for state, vector in zip(folded()[0], vectors["statements"], strict=True):
        after = vector["after"]
        members = sorted(state.members.values(), key=lambda member: member.number)
        assert (state.number, state.hash.hex(), state.policy) == (vector["number"], vector["hash"], after["policy"])
        assert state.conversation.hex() == vectors["conversation"]
        assert members == [
            Member(bytes.fromhex(row["account"]), row["role"], row["number"], bytes.fromhex(row["key"]))
            for row in after["members"]
        ]
        assert (state.owner.hex() if state.owner else None) == after["owner"]
        assert sorted(account.hex() for account in state.removed) == after["removed"]
        assert {account.hex(): version for account, version in state.versions.items()} == after["versions"]
        links = {link_id.hex(): link for link_id, link in state.links.items()}
        assert set(links) == {row["id"] for row in after["links"]}
        for row in after["links"]:
            found = links[row["id"]]
            assert found.key33.hex() == row["key"]
            assert [found.role, found.expires, found.uses, found.used] == [
                row[name] for name in ("role", "expires", "uses", "used")
            ]
    assert {vector["action"] for vector in vectors["statements"]} == {
        action.name.lower() for action in membership.Action
    }


@pytest.mark.parametrize("vector", load("memberships")["refused"], ids=lambda vector: vector["why"])
def test_statements_that_are_refused(vector: dict[str, Any]) -> None:
    states, keys = folded()
    with pytest.raises(BadStatement):
        fold(states[vector["after"] - 1], vector, keys)


@pytest.mark.parametrize("vector", load("memberships")["refused_first"], ids=lambda vector: vector["why"])
def test_beginnings_that_are_refused(vector: dict[str, Any]) -> None:
    with pytest.raises(BadStatement):
        fold(None, vector, Keys(load("memberships")["accounts"]))


@pytest.mark.parametrize("vector", load("memberships")["heirs"])
def test_heirs(vector: dict[str, Any]) -> None:
    rows = [(bytes.fromhex(row["account"]), row["role"], row["number"]) for row in vector["members"]]
    heir = membership.heir({account: Member(account, role, number, bytes(33)) for account, role, number in rows})
    assert (heir.hex() if heir else None) == vector["heir"]


def test_invites() -> None:
    vectors = load("invites")
    for vector in vectors["invites"]:
        found = invite.parse(vector["text"])
        key = invite.link_key(found.seed)
        assert (found.conversation.hex(), found.seed.hex()) == (vector["conversation"], vector["seed"])
        assert (key.private.hex(), key.public.serialize().hex()) == (vector["private"], vector["public"])
        assert invite.link_id(key.public).hex() == vector["id"]
        assert invite.text(found) == vector["text"]
    for text in vectors["refused_texts"]:
        with pytest.raises(InvalidMessage):
            invite.parse(text)


def test_invite_cards() -> None:
    vectors = load("invites")
    for vector in vectors["cards"]:
        seed, salt = bytes.fromhex(vector["seed"]), bytes.fromhex(vector["salt"])
        card = invite_card.open_(seed, bytes.fromhex(vector["container"]))
        assert (card.name, card.topic, card.description) == tuple(
            vector[name] for name in ("name", "topic", "description")
        )
        assert hkdf(b"", seed, b"aparte-invite-card-v1", 32).hex() == vector["key"]
        assert invite_card.seal(seed, card, lambda _, salt=salt: salt).hex() == vector["container"]  # type: ignore[misc]
    for refused in vectors["refused_cards"]:
        with pytest.raises(InvalidMessage):
            invite_card.open_(bytes.fromhex(vectors["invites"][0]["seed"]), bytes.fromhex(refused["container"]))


def test_records() -> None:
    vectors = load("records")
    private, conversation = bytes.fromhex(vectors["account_private"]), bytes.fromhex(vectors["conversation"])
    salt = bytes.fromhex(vectors["salt"])
    assert hkdf(b"", private, b"aparte-record-v1", 32).hex() == vectors["key"]
    for vector in vectors["drafts"]:
        draft = record.open_draft(private, conversation, bytes.fromhex(vector["container"]))
        assert (draft.at, draft.text) == (vector["at"], vector["text"])
        assert record.seal_draft(private, conversation, draft, lambda _: salt).hex() == vector["container"]
        assert container.open_(
            bytes.fromhex(vectors["key"]), b"record\0draft\0" + conversation, bytes.fromhex(vector["container"])
        )
    for refused in vectors["refused_drafts"]:
        with pytest.raises(InvalidMessage):
            record.open_draft(private, conversation, bytes.fromhex(refused["container"]))


def test_grants() -> None:
    vectors = load("grants")
    key, salt = bytes.fromhex(vectors["key"]), bytes.fromhex(vectors["salt"])
    for vector in vectors["grants"]:
        triples = grant.unpack(bytes.fromhex(vector["packed"]))
        assert [[row.number, row.key.hex(), row.hash.hex()] for row in triples] == vector["triples"]
        assert grant.open_(key, bytes.fromhex(vector["container"])) == triples
        assert grant.seal(key, triples, lambda _: salt).hex() == vector["container"]
    for data in vectors["refused"]:
        with pytest.raises(InvalidMessage):
            grant.unpack(bytes.fromhex(data))
    for data in vectors["refused_containers"]:
        with pytest.raises(InvalidMessage):
            grant.open_(key, bytes.fromhex(data))
