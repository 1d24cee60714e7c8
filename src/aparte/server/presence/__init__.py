"""Presence and typing: whispers to those who have a person or a conversation on screen, and to nobody else.

Everything is in Valkey and may be lost; PostgreSQL keeps only `last_seen_at` (through `accounts`). Keys: `session:{id}`
(a live socket, with its own lifetime), `presence:sessions:{account}` (which of them are live, by expiry),
`presence:user:{account}`, `presence:conversation:{id}`, `typing:{conversation}:{account}`. It owns no table.

Invariants: connections are counted from live sessions, never incremented (B-076); what somebody's privacy or a block
hides is decided by PostgreSQL when it is told, never remembered; without Valkey presence is `unknown`, typing silent.
"""
