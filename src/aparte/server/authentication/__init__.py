"""Authentication: from nobody to somebody. Registration, login, setup, change of password, and reading access tokens.

Owns no table: it leads `accounts`, `devices`, `keys` and `sessions` through one transaction, in this order of locks:
account, devices, sessions, account state. Invariants: no account but the first
administrator's is made without a device list; an unknown name and a wrong password are answered alike and cost alike;
what is refused for a wrong password is counted, and the count is committed.
"""
