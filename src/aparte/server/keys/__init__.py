"""Keys: signed device lists, prekeys, and pairwise messages on their way to one device.

Owns `device_lists`, `device_prekeys`, `one_time_prekeys` and `device_envelopes`; reads `members` and `conversations`
(who shares an encrypted one). Invariants: every version of a list follows from the one before it by `aparte.e2ee`, and
none is ever changed or removed; `devices.is_listed` says what the newest says; no private key comes here; a one-time
prekey is handed out once; what a device has acknowledged is gone. All this saves honest people early: clients check
everything again and rely on none of it.
"""
