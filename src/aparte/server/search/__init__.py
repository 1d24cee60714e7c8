"""Search: in messages that the server can read, of people who let themselves be found, of rooms.

Owns `message_search`, `search_spans`, `search_positions`, `room_search` and `account_search`; reads `messages`,
`entries`, `hidden_messages`, `heads`, `members`, `conversations`, `accounts`, `reactions`, `pins` and `threads`.
Invariants: nothing is found that the asker could not read on a page at that moment; no send waits for the index, which
is written after the commit and catches up by itself whatever was missed; words of what is deleted, edited away or
expired leave it; an address or number is matched as a whole and never stands in it; what is encrypted has no row.

On its place: `indexer` hears the doorbell and lets `actions.indexing` read what is new; `folding` makes words of text,
the same for the index, the question and the places that are shown; `store.search_messages` goes through the spans.
"""
