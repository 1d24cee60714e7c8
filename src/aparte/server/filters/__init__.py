"""Filters: words that rooms do not want, and the messages that wait for a moderator because of them.

Owns `word_lists`, `held_messages`; reads `heads`, `members`, `conversation_roles`, `conversations`, `accounts`.
Invariants: a message that waits has no position: nobody but its author and moderators reads it, and nothing finds or
counts it; the same client id waits once; it is decided once, under the conversation's lock; its words are in no log.
"""
