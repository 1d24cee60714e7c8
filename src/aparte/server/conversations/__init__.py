"""Conversations: what they are called, who is in them and what each member may do.

Owns `conversations` and `members`; reads `heads`, `messages` and `hidden_messages` for unread counts, `accounts` for
names. Invariants: a room has exactly one owner; `member_count` counts current members; a member who comes back gets
the same row with a new place to start from; unread = ordinals after the read mark that are not excepted; a direct
conversation has the id that follows from its two accounts, its members never change, and its roster follows their
device lists.

`authorise` is the one function that says who may: every door and every slice asks it.
"""
