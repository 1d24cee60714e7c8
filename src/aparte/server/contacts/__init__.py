"""Contacts and blocks: whom one knows, whom one does not want to hear of, and what others may therefore see.

Owns `contacts`, `blocks` and `contact_requests`; people come through `accounts`. Invariants: an entry in one's own
address book needs nobody's consent (C-19) and is nobody else's business; the table of blocks is the only truth about
blocks (C-21); `contacts` as an audience means the people whom that account has in its own book; whoever is blocked, in
either direction, sees a name and nothing else; between two people there is at most one contact request, and where one
blocks the other none that waits.
"""
