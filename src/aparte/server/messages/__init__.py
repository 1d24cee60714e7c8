"""Messages: written in batches, paged as they are now, read as a log, edited, deleted, restored; readable or sealed.

Owns `messages`, `sends`, `hidden_messages`, `message_key_sets`, `sender_chains`, `distributions`, `message_links`,
`threads`, `mentions`, `message_sources`, `disappearing_messages`, `reactions`, `reaction_counts`, `pins`,
`thread_follows`; reads `entries`, `heads`, `members`, `epochs`, `receipts`, `devices`, `conversations`, `accounts`,
`blocks`, `flags`. Invariants: a message is acknowledged after COMMIT and exists nowhere else before; one
client_message_id of a device stores one message, whatever is repeated or raced, for 30 days; who may say it is decided
under the lock that gives it its place; what hangs on a message is of the same conversation; the text of a deleted or
expired message is withheld from every read; erasing empties a row and keeps it; what is sealed stands only in
end-to-end encrypted conversations, and nothing readable ever does; a device is handed its own envelope alone, and never
again once it has acknowledged the entry; a sender's chain reaches a device with the entry that commits it, and nobody
before.

The way of one message: `http`/`frames` → `actions.send` → `actions.compose` (what it refers to) → `writer` (the batch)
→ `store.send` (one function, one round trip) → `realtime`.
"""
