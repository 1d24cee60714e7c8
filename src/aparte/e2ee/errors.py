"""Everything `aparte.e2ee` refuses with: a closed set, read by the caller on this device and by nobody else.

No error carries data or names the check that failed: what a forger could learn from the difference between a
bad MAC and bad padding stays inside. The caller answers the outside with one error for all of them.
"""


class E2eeError(Exception):
    """The cryptography refused."""

    def __init__(self) -> None:
        super().__init__(type(self).__doc__)


class InvalidMessage(E2eeError):
    """The message is malformed, or was not made for this session."""


class DuplicateMessage(E2eeError):
    """The message was received before, or its key is gone."""


class TooFarAhead(E2eeError):
    """The message is further ahead of the last one than we are ready to compute."""


class NoSession(E2eeError):
    """There is no session with this device."""


class NoSenderKey(E2eeError):
    """There is no sender key for this chain."""


class UnknownPrekey(E2eeError):
    """The first message of a session names a prekey that is not here (any more)."""


class UntrustedIdentity(E2eeError):
    """The identity key of the peer is another one than before."""


class InvalidKey(E2eeError):
    """The key has the wrong type, length or form, or is a point of low order."""


class InvalidSignature(E2eeError):
    """The signature was not made by this key over this data."""


class InvalidState(E2eeError):
    """The saved state is damaged, or was written by a newer version."""


class BadList(E2eeError):
    """The device list is malformed, wrongly signed, or does not follow from the one before it."""


class BadContent(E2eeError):
    """What was sealed is not the content of an entry, or is past a limit."""


class NeedsNewer(E2eeError):
    """The content is of a kind or version that a later Aparté may know."""


class BadStatement(E2eeError):
    """The membership statement is malformed, wrongly signed, or not its actor's to make at this point of the chain."""
