"""The log: positions, and nothing but positions.

Owns `heads`, `entries`, `epochs` and `chains` (the functions `send_v1` to `send_v4` of `messages` write them too: the
one exception).
Invariants: positions floor..head of a conversation are without hole; order by id = order by seq = order of commit; ids
and times come from PostgreSQL's clock, read under the head's lock; whoever writes several heads locks them in id order.
A conversation has a roster exactly if it is end-to-end encrypted; a new roster is a new epoch, and an entry says so;
an epoch keeps how it differs from the one before, and these differences add up to what the present one is made of.

Everybody who changes what others see calls `append`. It is one of the two ways out of a transaction; the other is a
job row.
"""
