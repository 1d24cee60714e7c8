"""Preferences: what one member sets for oneself in one conversation, and nobody else sees.

Owns `preferences`. Reads no other table. Invariants: what was never set is as the defaults say; a mute ends by itself;
one's own devices learn every change by the state key `preferences:<conversation>`, which is gone where everything is as
the defaults say; leaving a conversation keeps them for whoever comes back.
"""
