"""Who is here: sockets by account, by session and by conversation; pushes what the doorbell rings.

One hub a process. Hints of this process's own transactions are answered at once and handed to the bus; those of other
processes come from the bus. Audiences follow `Joined` and `Left`; a lost one is mended by the next look.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import Protocol

import msgspec

from aparte.server.kit.doorbell import (
    Ended,
    Hint,
    Joined,
    Left,
    ToAccount,
    ToConversation,
    ToConversationSealed,
    ToDevice,
)
from aparte.server.kit.metrics import DELIVERIES, SLOW_READERS, SOCKETS
from aparte.server.realtime.socket import Packet, Socket
from aparte.wire import frames
from aparte.wire.codec import Encoding
from aparte.wire.ids import AccountId, ConversationId, DeviceId, Position, SessionId
from aparte.wire.sealed import Envelope


class Bus(Protocol):
    """What the hub needs of the doorbell between processes."""

    def publish(self, hints: Sequence[Hint]) -> None:
        """Tell the other processes; may be lost."""

    def watch(self, audience: str) -> None:
        """From now on hear hints for an audience (`conversation:…`, `account:…`, `device:…`, `session:…`)."""

    def unwatch(self, audience: str) -> None:
        """No longer."""


class Hub:
    """The sockets of this process."""

    def __init__(self, bus: Bus) -> None:
        """Start with nobody."""
        self._bus = bus
        self._accounts: dict[AccountId, set[Socket]] = {}
        self._sessions: dict[SessionId, Socket] = {}
        self._devices: dict[DeviceId, Socket] = {}
        self._conversations: dict[ConversationId, set[Socket]] = {}
        self.heads: dict[ConversationId, int] = {}
        """The newest position pushed here, of conversations with sockets: what a look compares with."""

    # Who is here ------------------------------------------------------------------------------------------------

    def add(self, socket: Socket) -> None:
        """A socket has shown who it is. One device has one: an earlier one is replaced."""
        earlier = self._devices.get(socket.caller.device)
        if earlier is not None:
            earlier.end(frames.Close.REPLACED, "replaced")
            self.remove(earlier)
        account = socket.caller.account
        self._devices[socket.caller.device] = socket
        self._sessions[socket.caller.session] = socket
        if account not in self._accounts:
            self._accounts[account] = set()
            self._bus.watch(f"account:{account}")
        self._accounts[account].add(socket)
        self._bus.watch(f"session:{socket.caller.session}")
        self._bus.watch(f"device:{socket.caller.device}")
        SOCKETS.inc()

    def open(self, socket: Socket, conversations: Iterable[ConversationId]) -> None:
        """The socket's conversations are known: from here on it is pushed to."""
        for conversation in conversations:
            if conversation not in socket.left:
                self._enter(socket, conversation)
        socket.is_open = True

    def remove(self, socket: Socket) -> None:
        """A socket is gone."""
        account = socket.caller.account
        if socket not in self._accounts.get(account, ()):
            return
        for conversation in list(socket.conversations):
            self._exit(socket, conversation)
        self._accounts[account].discard(socket)
        if not self._accounts[account]:
            del self._accounts[account]
            self._bus.unwatch(f"account:{account}")
        if self._sessions.get(socket.caller.session) is socket:
            del self._sessions[socket.caller.session]
            self._bus.unwatch(f"session:{socket.caller.session}")
        if self._devices.get(socket.caller.device) is socket:
            del self._devices[socket.caller.device]
            self._bus.unwatch(f"device:{socket.caller.device}")
        socket.is_open = False
        SOCKETS.dec()

    def _enter(self, socket: Socket, conversation: ConversationId) -> None:
        sockets = self._conversations.get(conversation)
        if sockets is None:
            sockets = self._conversations[conversation] = set()
            self._bus.watch(f"conversation:{conversation}")
        sockets.add(socket)
        socket.conversations.add(conversation)

    def _exit(self, socket: Socket, conversation: ConversationId) -> None:
        socket.conversations.discard(conversation)
        sockets = self._conversations.get(conversation)
        if sockets is None:
            return
        sockets.discard(socket)
        if not sockets:
            del self._conversations[conversation]
            self.heads.pop(conversation, None)
            self._bus.unwatch(f"conversation:{conversation}")

    # What is rung -----------------------------------------------------------------------------------------------

    def ring(self, hints: Sequence[Hint]) -> None:
        """Answer the doorbell of this process, and pass the hints on."""
        for hint in hints:
            self.hear(hint)
        self._bus.publish(hints)

    def hear(self, hint: Hint, encoded: dict[Encoding, bytes] | None = None) -> None:
        """Answer one hint; `encoded` comes with hints of other processes, whose frames stay as they are."""
        match hint:
            case ToConversation(conversation, frame):
                sockets = self._conversations.get(conversation)
                if sockets:
                    self._note(conversation, frame)
                    self._push(sockets, Packet(frame, encoded))
            case ToConversationSealed(conversation, live, envelopes):
                self._push_sealed(conversation, live, envelopes)
            case ToAccount(account, frame):
                self._push(self._accounts.get(account, ()), Packet(frame, encoded))
            case ToDevice(device, frame):
                there = self._devices.get(device)
                self._push((there,) if there is not None else (), Packet(frame, encoded))
            case Joined(account, conversation):
                for socket in self._accounts.get(account, ()):
                    socket.left.discard(conversation)
                    self._enter(socket, conversation)
            case Left(account, conversation):
                for socket in self._accounts.get(account, ()):
                    socket.left.add(conversation)
                    self._exit(socket, conversation)
            case Ended(session):
                self.end(session)

    def _push_sealed(self, conversation: ConversationId, live: frames.Live, envelopes: Sequence[Envelope]) -> None:
        """Push an entry to each socket with the envelope of its own device; encoded once for all who have none."""
        sockets = self._conversations.get(conversation)
        if not sockets:
            return
        self._note(conversation, live)
        own = {envelope.device: envelope for envelope in envelopes}
        without = {socket for socket in sockets if socket.caller.device not in own}
        self._push(without, Packet(live))
        for socket in sockets - without:
            self._push({socket}, Packet(addressed(live, own[socket.caller.device])))

    def _note(self, conversation: ConversationId, frame: frames.FromServer) -> None:
        seq = frame.entry.seq if isinstance(frame, frames.Live) else 0
        if isinstance(frame, frames.Moved):
            seq = frame.seq
        if seq > self.heads.get(conversation, 0):
            self.heads[conversation] = seq

    def _push(self, sockets: Iterable[Socket], packet: Packet) -> None:
        slow = [socket for socket in sockets if not socket.push(packet)]
        DELIVERIES.inc(len(sockets) if isinstance(sockets, set) else 0)
        for socket in slow:
            SLOW_READERS.inc()
            self.remove(socket)

    def end(self, session: SessionId) -> None:
        """A session is over: its socket closes and hears nothing more."""
        socket = self._sessions.get(session)
        if socket is not None:
            self.remove(socket)
            socket.end(frames.Close.UNAUTHENTICATED, "session ended")

    def hears(self, session: SessionId, conversation: ConversationId) -> bool:
        """Tell whether a session's socket is here and belongs to the conversation's audience."""
        socket = self._sessions.get(session)
        return socket is not None and conversation in socket.conversations

    # What a look needs ------------------------------------------------------------------------------------------

    def moved(self, conversation: ConversationId, head: Position) -> None:
        """PostgreSQL says that a log reaches here; whoever was not told is told to ask."""
        sockets = self._conversations.get(conversation)
        if sockets and head.seq > self.heads.get(conversation, 0):
            self.heads[conversation] = head.seq
            self._push(sockets, Packet(frames.Moved(conversation, head.seq, head.id)))

    def stated(self, account: AccountId, rev: int) -> None:
        """PostgreSQL says that an account's state reaches this revision."""
        self._push(self._accounts.get(account, ()), Packet(frames.States(rev=rev)))

    def accounts(self) -> list[AccountId]:
        """Everybody who is here."""
        return list(self._accounts)

    def sessions(self) -> list[SessionId]:
        """Every session that has a socket here."""
        return list(self._sessions)

    def settle(self, account: AccountId, conversations: set[ConversationId]) -> None:
        """Make an account's audiences what PostgreSQL says they are."""
        for socket in list(self._accounts.get(account, ())):
            if not socket.is_open:
                continue
            for conversation in socket.conversations - conversations:
                self._exit(socket, conversation)
            for conversation in conversations - socket.conversations:
                self._enter(socket, conversation)

    def close_all(self, close: Callable[[Socket], None]) -> None:
        """Close every socket, for a restart."""
        for socket in list(self._devices.values()):
            close(socket)


def addressed(live: frames.Live, envelope: Envelope) -> frames.Live:
    """Give a sealed entry as one device gets it."""
    if live.entry.sealed is None:
        return live
    sealed = msgspec.structs.replace(live.entry.sealed, envelope=envelope)
    return frames.Live(live.conversation, msgspec.structs.replace(live.entry, sealed=sealed))
