"""Receipts: which device has stored, and which person has read, up to where, and when.

Owns `receipts`; moves the read mark of `members` through conversations. Reads `members`, `conversations`, `heads`,
`devices`, `messages`.
Invariants: marks only move forward; `read` implies `delivered`; the time of a position is the earliest row at or above
it; above 256 members (500 where it is encrypted) only the marks are kept; nobody is told of somebody's receipts against
their privacy or across a block, but one's own devices always are. Marks of sockets are coalesced: at most one a second,
device and conversation. The views `message_receipts`, `delivery_statuses` and `message_reads` spread the ranges out for
those who read the database; the server does not ask them.
"""
