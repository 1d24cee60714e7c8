"""Accounts: who they are, what they know to prove it, and how often somebody guessed wrong.

Owns `accounts` and `login_failures`. Reads no other table. Invariants: user name, e-mail and phone are unique whatever
their case; only kind `person` has a password; every failed login costs one attempt of the account, or of the unknown
name, and looks the same; nothing outside of this slice and `authentication` ever sees a hash.
"""
