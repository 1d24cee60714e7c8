"""Devices: where an account is used, each with an id that the device made itself and keeps.

Owns `devices`. Invariants: a device belongs to one account for ever; at most ten are active; the same device registered
twice is one device (R-063); a revoked one has no open session.
"""
