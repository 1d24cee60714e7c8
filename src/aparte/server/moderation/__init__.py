"""Moderation: what moderators decide about messages, and what members tell them of.

Owns `flags`; reads `accounts`. Invariants: an approved message is sent once, whoever dies between, because every
attempt sends the same message under the same client id; what its author may is judged then; one open flag of a person
per message, and how often a message is flagged is counted and stands nowhere else; who has flagged it is told nobody.
"""
