"""Devices: where an account is used, each with an id that the device made itself and keeps.

Owns `devices`; reads `device_lists` (is there one?). Invariants: a device belongs to one account for ever; at most ten
are active; the same device registered twice is one device (R-063); a revoked one has no open session; `is_listed` is
what the account's newest list says, and true for as long as it has none; a listed device goes by a new list alone.
"""
