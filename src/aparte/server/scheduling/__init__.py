"""Scheduling: messages that are written now and said later.

Owns `scheduled_messages`; reads `accounts`, `heads`, `sender_chains`, `distributions`. Invariants: a scheduled message
is sent once, whoever dies between sending and writing that down, because every attempt sends the same message under the
same client id; never before its time; whether its author may, is judged when it is due, by the same path as everything
that is sent; once it is due nobody takes it back; nobody but its author ever hears of it. What is sealed is sent in the
epoch it was sealed for and in no other: until its author's device has sealed it again it is stale.
"""
