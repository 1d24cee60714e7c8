"""Every operation of a conversation as a request that could succeed: what the tables of who may what ask, by everybody.

In paths, queries and bodies `{message}`, `{account}` … stand for what the scene has for each asker, `{new}` for an id
that nobody has used. The order is that of a life: what puts somebody out comes last.
"""

import base64
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

MARKER = "canary-7f3a"
"""Is in everything that is said in a scene: who may not read never meets it."""

CONVERSATION = "/conversations/{conversation}"
MESSAGE = CONVERSATION + "/messages/{message}"
MEMBER = CONVERSATION + "/members/{account}"
ROLE = CONVERSATION + "/roles/{role}"
BAN = CONVERSATION + "/bans/{account}"
HELD = CONVERSATION + "/held/{held}"
SCHEDULED = CONVERSATION + "/scheduled/{scheduled}"


@dataclass(frozen=True)
class Operation:
    """A request, named as the OpenAPI document names it. `own`: about the asker's own message, not
    somebody else's."""

    method: str
    path: str
    body: Any = None
    query: dict[str, str] = field(default_factory=dict)
    own: bool = False

    @property
    def name(self) -> str:
        """What the tables call it."""
        kind = " own" if self.own else " for me" if "scope" in self.query else ""
        return f"{self.method} {self.path.removeprefix(CONVERSATION) or '/'}{kind}"


def filled(value: Any, places: dict[str, str]) -> Any:
    """Put ids into a path, a query or a body; a new one is the same wherever it stands in them."""
    if isinstance(value, str):
        for name, place in places.items():
            value = value.replace("{" + name + "}", place)
        return value
    if isinstance(value, dict):
        return {key: filled(each, places) for key, each in value.items()}
    return [filled(each, places) for each in value] if isinstance(value, list) else value


@dataclass(frozen=True)
class Request:
    """An operation with ids in it, ready to be asked."""

    method: str
    path: str
    query: dict[str, str]
    body: Any

    @classmethod
    def of(cls, operation: Operation, places: dict[str, str]) -> "Request":
        """Fill an operation with what a scene has, and with a new id."""
        wanted = {"new": str(uuid4()), **places} | ({"message": places["own"]} if operation.own else {})
        path, query, body = (filled(each, wanted) for each in (operation.path, operation.query, operation.body))
        return cls(operation.method, path, query, body)


def _noise(size: int) -> str:
    return base64.b64encode(bytes(size)).decode()


SAID = {"client_message_id": "{new}", "content": {"text": MARKER}}
ONCE = {"client_message_id": "{new}"}
SEALED = ONCE | {"epoch": 1, "roster": _noise(32), "counter": 1, "prev": _noise(32), "sealed": _noise(192)}
"""A sealed entry for another epoch: who may write hears so, and nobody else hears anything."""
UNSIGNED = {"statement": _noise(165), "signature": _noise(64)}
"""A statement that says nothing: a group refuses it, and nobody else hears why."""
DISTRIBUTED = {"chain": 1, "epoch": 999, "envelopes": [{"device": "{new}", "type": 2, "body": "AAAA"}]}
"""A part of a distribution in another epoch."""
DUE = (datetime.now(UTC) + timedelta(days=1)).isoformat()

READING = [
    Operation("GET", CONVERSATION),
    Operation("GET", CONVERSATION + "/members"),
    Operation("GET", CONVERSATION + "/messages"),
    Operation("GET", CONVERSATION + "/entries"),
    Operation("GET", MESSAGE),
    Operation("GET", MESSAGE + "/history"),
    Operation("GET", MESSAGE + "/receipts"),
    Operation("GET", MESSAGE + "/reactions", query={"emoji": "ok"}),
    Operation("GET", MESSAGE + "/replies"),
    Operation("GET", CONVERSATION + "/pins"),
    Operation("GET", CONVERSATION + "/threads"),
    Operation("GET", CONVERSATION + "/preferences"),
    Operation("GET", CONVERSATION + "/roles"),
    Operation("GET", CONVERSATION + "/silences"),
    Operation("GET", CONVERSATION + "/bans"),
    Operation("GET", CONVERSATION + "/invites"),
    Operation("GET", CONVERSATION + "/words"),
    Operation("GET", CONVERSATION + "/held"),
    Operation("GET", CONVERSATION + "/flags"),
    Operation("GET", CONVERSATION + "/scheduled"),
    Operation("GET", CONVERSATION + "/statements"),
    Operation("GET", CONVERSATION + "/epoch"),
    Operation("GET", CONVERSATION + "/objects/{object}"),
]
WRITING = [
    Operation("POST", CONVERSATION + "/messages", SAID),
    Operation("POST", CONVERSATION + "/entries", SEALED | {"envelopes": []}),
    Operation("POST", CONVERSATION + "/read", {"up_to": {"seq": 1, "id": "{message}"}}),
    Operation("POST", CONVERSATION + "/delivered", {"up_to": {"seq": 1, "id": "{message}"}}),
    Operation("PATCH", CONVERSATION + "/preferences", {"is_pinned": True}),
    Operation("PUT", CONVERSATION + "/draft", {"sealed": "AAAA"}),
    Operation("DELETE", CONVERSATION + "/draft"),
    Operation("POST", CONVERSATION + "/scheduled", {"client_message_id": "{new}", "due": DUE, "message": SAID}),
    Operation("PATCH", SCHEDULED, {"due": DUE}),
    Operation("DELETE", SCHEDULED),
    Operation("PUT", CONVERSATION + "/objects/{object}", {"data": "AA=="}),
    Operation("PATCH", MESSAGE, SAID),
    Operation("PATCH", MESSAGE, SAID, own=True),
    Operation("POST", MESSAGE + "/reactions", ONCE | {"emoji": "+1"}),
    Operation("POST", MESSAGE + "/pin", ONCE),
    Operation("PUT", MESSAGE + "/follow", {"on": True}),
    Operation("PUT", MESSAGE + "/flag", {"reason": "spam"}),
    Operation("DELETE", MESSAGE + "/flag"),
    Operation("DELETE", MESSAGE, query=ONCE, own=True),
    Operation("POST", MESSAGE + "/restore", ONCE, own=True),
    Operation("DELETE", MESSAGE, query={"scope": "me"}),
    Operation("DELETE", MESSAGE, query=ONCE),
    Operation("POST", MESSAGE + "/restore", ONCE),
    Operation("DELETE", HELD),
    Operation("POST", HELD + "/decision", {"approve": False}),
]
MANAGING = [
    Operation("PATCH", CONVERSATION, {"topic": MARKER}),
    Operation("PUT", CONVERSATION + "/words", {"words": [{"text": "spam"}]}),
    Operation("POST", CONVERSATION + "/invites", {}),
    Operation("DELETE", CONVERSATION + "/invites/{invite}"),
    Operation("PUT", CONVERSATION + "/invites/{link}/card", {"card": "AA=="}),
    Operation("POST", CONVERSATION + "/roles", {"name": MARKER, "permissions": {"invite": True}}),
    Operation("PATCH", ROLE, {"name": MARKER}),
    Operation("DELETE", ROLE),
    Operation("PUT", MEMBER + "/nickname", {"nickname": MARKER}),
    Operation("PUT", MEMBER + "/silence", {"until": DUE, "reason": "shouting"}),
    Operation("DELETE", MEMBER + "/silence"),
    Operation("PATCH", MEMBER, {"role": "moderator"}),
    Operation("DELETE", MEMBER),
    Operation("PUT", BAN, {"reason": MARKER}),
    Operation("DELETE", BAN),
    Operation("POST", CONVERSATION + "/statements", {"statements": [UNSIGNED]}),
    Operation("POST", CONVERSATION + "/distributions", DISTRIBUTED),
    Operation("DELETE", CONVERSATION),
    Operation("POST", CONVERSATION + "/join"),
    Operation("POST", CONVERSATION + "/leave"),
]
OPERATIONS = [*READING, *WRITING, *MANAGING]


# Operations outside of conversations ----------------------------------------------------------------------------------

ASKED = "/contact-requests/{person}"
OFFER = "/link-offers/{offer}"
BUNDLES = {"account": "{person}", "devices": ["{device}"]}
PAYLOAD = {"payload_id": "{new}", "device": "{device}", "type": 2, "body": "AAAA"}
LIST = {"list": _noise(162), "signature": _noise(64)}
ELSEWHERE = [
    Operation("GET", "/accounts/me"),
    Operation("PATCH", "/accounts/me", {"bio": MARKER}),
    Operation("PUT", "/accounts/me/password", {"old": "wrong password", "new": "another password"}),
    Operation("GET", "/accounts", query={"ids": "{person}"}),
    Operation("POST", "/accounts/find", {"email": "nobody@example.org"}),
    Operation("GET", "/accounts/{person}"),
    Operation("GET", "/account/state"),
    Operation("GET", "/presence", query={"accounts": "{person}"}),
    Operation("PUT", "/presence", {"status": "away"}),
    Operation("GET", "/devices"),
    Operation("PATCH", "/devices/{device}", {"name": MARKER}),
    Operation("DELETE", "/devices/{device}"),
    Operation("GET", "/sessions"),
    Operation("DELETE", "/sessions/{session}"),
    Operation("GET", "/contacts"),
    Operation("PUT", "/contacts/{person}", {"nickname": MARKER}),
    Operation("DELETE", "/contacts/{person}"),
    Operation("GET", "/contact-requests"),
    Operation("POST", ASKED, {"note": MARKER}),
    Operation("POST", ASKED + "/accept"),
    Operation("POST", ASKED + "/decline"),
    Operation("DELETE", ASKED),
    Operation("GET", "/blocks"),
    Operation("PUT", "/blocks/{person}", {"reason": MARKER}),
    Operation("DELETE", "/blocks/{person}"),
    Operation("PUT", "/account/keys", {"devices": LIST, "prekeys": {}}),
    Operation("PUT", "/account/device-list", {"devices": LIST}),
    Operation("POST", "/keys/lists", {"accounts": [{"account": "{person}"}]}),
    Operation("POST", "/keys/bundles", BUNDLES),
    Operation("POST", "/keys/bundles/many", {"accounts": [BUNDLES]}),
    Operation("PUT", "/keys/prekeys", {}),
    Operation("GET", "/keys/prekeys"),
    Operation("POST", "/payloads", {"account": "{person}", "payloads": [PAYLOAD]}),
    Operation("GET", "/payloads"),
    Operation("POST", "/payloads/done", {"ids": ["{new}"]}),
    Operation("POST", "/link-offers", {"id": "{new}", "offer": _noise(1237), "prekeys": {}}),
    Operation("GET", "/link-offers/mine", query={"id": "{offer}"}),
    Operation("GET", OFFER),
    Operation("POST", OFFER + "/answer", {"password": "wrong password", "answer": _noise(1169)}),
    Operation("POST", OFFER + "/admission", {"devices": LIST, "container": "AAAA"}),
    Operation("DELETE", OFFER),
    Operation("POST", "/conversations", {"kind": "room", "name": MARKER + " {new}"}),
    Operation("POST", "/conversations/direct", {"id": "{new}", "account": "{person}"}),
    Operation("POST", "/conversations/group", {"id": "{new}", "statements": [UNSIGNED]}),
    Operation("GET", "/conversations"),
    Operation("GET", "/directory"),
    Operation("GET", "/invites/{token}"),
    Operation("GET", "/invites/{token}/statements"),
    Operation("POST", "/invites/{token}/join", UNSIGNED),
    Operation("POST", "/invites/{token}/enter"),
    Operation("GET", "/mentions"),
    Operation("GET", "/words"),
    Operation("PUT", "/words", {"words": []}),
    Operation("GET", "/search/messages", query={"q": MARKER}),
    Operation("GET", "/search/people", query={"q": MARKER}),
    Operation("GET", "/search/rooms", query={"q": MARKER}),
    Operation("DELETE", "/sessions/current"),
]
OPEN = [
    Operation("POST", "/accounts", {}),
    Operation("POST", "/setup", {}),
    Operation("POST", "/sessions", {}),
    Operation("POST", "/sessions/refresh", {}),
]
"""What is asked by those who are nobody yet: told what is missing, whoever they are."""
UNLISTED = {
    "DELETE /sessions/current",
    "PUT /account/keys",
    "POST /link-offers",
    "GET /link-offers/mine",
    "DELETE /link-offers/{offer}",
}
"""What a device may ask that is signed in and on no list."""
