"""The log: positions, and nothing but positions.

Owns `heads` and `entries` (the `send_v1` function of `messages` writes them too: the one exception).
Invariants: positions floor..head of a conversation are without hole; order by id = order by seq = order of commit; ids
and times come from PostgreSQL's clock, read under the head's lock; whoever writes several heads locks them in id order.

Everybody who changes what others see calls `append`. It is one of the two ways out of a transaction; the other is a
job row.
"""
