"""Sessions: a login on one device, and the two tokens that prove it.

Owns `sessions`; reads `accounts` (is it open?), `devices` and `device_lists` (how does the device stand?). Invariants:
no token is stored, only the hash of the refresh token and the id of the access token; one open session per device;
whatever ends a session tells its socket (`Ended`) and the audit trail; every read checks expiry, the job only tidies up
(B-039).
"""
