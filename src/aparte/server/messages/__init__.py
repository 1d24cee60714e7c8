"""Messages: written in batches, paged as they are now, read as a log, edited, deleted, restored.

Owns `messages`, `sends`, `hidden_messages`; reads `entries`, `heads`, `members`. Invariants: a message is acknowledged
after COMMIT and exists nowhere else before; one client_message_id of a device stores one message, whatever is repeated
or raced, for 30 days; the text of a deleted message is withheld from every read; erasing empties a row and keeps it.

The way of one message: `http`/`frames` → `actions.send` → `writer` (the batch) → `store.send` (one function, one round
trip) → `realtime`.
"""
