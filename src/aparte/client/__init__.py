"""The Python SDK of Aparté: every public name is here, none is deeper.

    async with Client.open("alice") as me:
        await me.send("#lounge", "salut")
        async for message in me.messages():
            print(message.sender, message.text)

`docs/sdk.md` shows the rest. From the top down: `client` has the verbs (`talking` those of messages, `belonging` those
of conversations), `parts` what they are said to; `opening` gets from a name to a client;
`outbox`, `gateway` and `stream` send, follow and hand out; `session` asks in the profile's name; `api` is the server's
REST interface; `core` decides without IO; `store` and `transport` are the IO.
"""

from aparte.client.answers import (
    Banned,
    FlaggedMessage,
    FoundMessage,
    GroupProfile,
    HeldMessage,
    Invitation,
    InviteLink,
    Member,
    Receipt,
    Receipts,
    Room,
    Silenced,
)
from aparte.client.client import Client
from aparte.client.crypto.approving import Answered, Applicant
from aparte.client.crypto.linking import CodeShown, Offered
from aparte.client.crypto.verifying import SafetyNumber
from aparte.client.errors import ClientError, KeyRefused, NotSignedIn, TimeOver, Unreachable
from aparte.client.happenings import policy_in_words, tell
from aparte.client.identity import Notice
from aparte.client.model import (
    Credentials,
    Event,
    Message,
    Origin,
    Quoted,
    Thread,
    Unsent,
    Version,
)
from aparte.client.opening import DEFAULT_SERVER, Place
from aparte.client.scheduled import ScheduledMessage
from aparte.client.stream import MessageStream
from aparte.client.words import Tongue, describe, language_of
from aparte.wire.accounts import Account, Block, Contact, ContactRequest, Device, Person, Privacy
from aparte.wire.content import ConversationSettings, CustomRole
from aparte.wire.conversations import DirectoryRow, Preferences
from aparte.wire.messages import Sent
from aparte.wire.moderation import Word

__all__ = [
    "DEFAULT_SERVER",
    "Account",
    "Answered",
    "Applicant",
    "Banned",
    "Block",
    "Client",
    "ClientError",
    "CodeShown",
    "Contact",
    "ContactRequest",
    "ConversationSettings",
    "Credentials",
    "CustomRole",
    "Device",
    "DirectoryRow",
    "Event",
    "FlaggedMessage",
    "FoundMessage",
    "GroupProfile",
    "HeldMessage",
    "Invitation",
    "InviteLink",
    "KeyRefused",
    "Member",
    "Message",
    "MessageStream",
    "NotSignedIn",
    "Notice",
    "Offered",
    "Origin",
    "Person",
    "Place",
    "Preferences",
    "Privacy",
    "Quoted",
    "Receipt",
    "Receipts",
    "Room",
    "SafetyNumber",
    "ScheduledMessage",
    "Sent",
    "Silenced",
    "Thread",
    "TimeOver",
    "Tongue",
    "Unreachable",
    "Unsent",
    "Version",
    "Word",
    "describe",
    "language_of",
    "policy_in_words",
    "tell",
]
