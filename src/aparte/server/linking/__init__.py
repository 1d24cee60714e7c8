"""Linking: how a new device comes onto an account's list, and how devices leave it.

Owns `link_offers`; reads `sessions` (an offer lives as long as the session that made it). It leads `keys`, `devices`,
`sessions` and `conversations` through one transaction, in this order of locks: account, devices, sessions, heads of
conversations, account state. Invariants: an offer is answered once and admits one device, its own, within two minutes;
nobody but the account's own devices finds it; a list is stored together with the epochs that begin with it; a device
that was linked less than a day ago changes no list but by leaving it.
"""
