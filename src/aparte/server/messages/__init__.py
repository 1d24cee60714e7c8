"""Messages: written in batches, paged as they are now, read as a log, edited, deleted, restored; readable or sealed.

Owns `messages`, `sends`, `hidden_messages`, `message_key_sets`, `sender_chains`, `distributions`, `reactions`,
`reaction_counts`, `pins`, `thread_follows`; reads `entries`, `heads`, `members`, `epochs`, `receipts`, `devices`,
`conversations`, `blocks`. Invariants: a message is acknowledged after COMMIT
and exists nowhere else before; one client_message_id of a device stores one message, whatever is repeated or raced, for
30 days; the text of a deleted message is withheld from every read; erasing empties a row and keeps it; what is sealed
stands only in end-to-end encrypted conversations, and nothing readable ever does; a device is handed its own envelope
alone, and never again once it has acknowledged the entry; a sender's chain reaches a device with the entry that commits
it, and nobody before.

The way of one message: `http`/`frames` → `actions.send` → `writer` (the batch) → `store.send` (one function, one round
trip) → `realtime`.
"""
