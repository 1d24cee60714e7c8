"""What entries make of a message beside its words: reactions, a pin, the thread under it. Pure.

`me` is whose copy it is: some of what is shown of a message is about the one who looks.
"""

from collections.abc import Collection, Iterable, Mapping

import msgspec

from aparte.client.core.bodies import body_of
from aparte.wire import kinds, limits
from aparte.wire.ids import AccountId, EntryId
from aparte.wire.messages import Entry, Message, Reaction, Thread


def marked(message: Message, entry: Entry, me: AccountId | None) -> Message:
    """Give a message after a reaction or a pin; other kinds leave it as it is. A tombstone keeps both: a restore brings
    them back and says nothing of them."""
    body = body_of(entry)
    if isinstance(body, kinds.Reacted):
        return msgspec.structs.replace(message, reactions=reacted(message.reactions, body, entry.account, me))
    if entry.kind == kinds.PIN and isinstance(body, kinds.Switch):
        by, at = (entry.account, entry.at) if body.on else (None, None)
        return msgspec.structs.replace(message, pinned_at=at, pinned_by=by)
    return message


def reacted(
    before: dict[str, Reaction], body: kinds.Reacted, by: AccountId, me: AccountId | None
) -> dict[str, Reaction]:
    """Give the reactions after one that is set or taken back. Whoever was not named and goes leaves a smaller count;
    who comes is named as long as everybody is."""
    after = dict(before)
    old = after.pop(body.emoji, Reaction(0, []))
    accounts = [account for account in old.accounts if account != by]
    if body.on and len(old.accounts) == old.count < limits.REACTORS_SHOWN:
        accounts.append(by)
    new = Reaction(old.count + (1 if body.on else -1), accounts, body.on if by == me else old.is_mine)
    return {**before, body.emoji: new} if new.count > 0 else after


def answered(root: Message, reply: Message, me: AccountId | None) -> Message:
    """Give the root of a thread after one more reply: who says it follows the thread, and so does who began it."""
    before = root.thread or Thread(0)
    is_followed = before.is_followed or me in {reply.account, root.account}
    return msgspec.structs.replace(root, thread=Thread(before.count + 1, reply.id, is_followed))


def recounted(root: Message, messages: Iterable[Message], change: int) -> Message:
    """Give the root of a thread after one of its replies came or went; `messages` are all that are known."""
    if root.thread is None:
        return root
    last = max((m.id for m in messages if m.root == root.id and m.deleted_at is None), default=None)
    thread = msgspec.structs.replace(root.thread, count=root.thread.count + change, last=last)
    return msgspec.structs.replace(root, thread=thread)


def followed(message: Message, *, on: bool) -> Message:
    """Give the root of a thread after its reader has said whether they follow it (account state `thread:…`)."""
    if message.thread is None:
        return message
    return msgspec.structs.replace(message, thread=msgspec.structs.replace(message.thread, is_followed=on))


def without(messages: Mapping[EntryId, Message], hidden: Collection[EntryId]) -> dict[EntryId, Message]:
    """Leave out what its reader has deleted for themselves (account state `hidden:…`), and name it nowhere."""
    shown = {key: message for key, message in messages.items() if key not in hidden}
    for root in {messages[key].root for key in hidden if key in messages}:
        if root is not None and root in shown:
            shown[root] = recounted(shown[root], shown.values(), 0)
    return shown
