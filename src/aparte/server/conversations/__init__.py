"""Conversations: what they are called, who is in them and what each member may do.

Owns `conversations`, `members`, `conversation_roles`, `statements`, `memberships`, `invite_links` and `invites`; reads
`heads`, `messages`, `hidden_messages` and `disappearing_messages` for unread counts, `entries` for the newest words,
`accounts` for names, `blocks` for who is blocked, `preferences` for what a member has set. Invariants: a conversation
that anybody is in has exactly one owner, if it has roles; `member_count` counts current members; who comes back
gets the same row with a new place to start from; unread = ordinals after the read mark that are not excepted; a direct
conversation has the id that follows from its two accounts, its members never change, and its roster follows their
device lists.

Who is in a group follows from signed statements: its id from the first one, its members, roles, links and policy from
all of them, its roster from the last one and the device lists. The rows are what `aparte.e2ee.membership` makes of the
chain, written under the head's lock and nowhere else; beside them the server keeps only what narrows the chain (bans,
tokens). Nobody's client believes the rows.

`authorise` is the one function that says who may: every door and every slice asks it. It goes by base role, custom role
and overrides (`rights`); `members.cannot_post` is what of that a send is judged by under the head's lock, and is made
anew with whatever it follows from. Leaving ends no ban, no silence and no denial.

What of a conversation's settings decides over a send stands in `heads` too, and changes with them under the head's
lock. A deleted conversation keeps its rows and has no members: nobody finds it, and `log.lock` gives it to nobody.
"""
