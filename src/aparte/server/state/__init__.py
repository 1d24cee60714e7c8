"""Account state: what one's own devices must see, the latest value of each key, with a revision.

Owns `account_state` and `account_revs`. Invariants: `rev` grows by one per change under the lock of the account's row
in `account_revs`; the latest value wins; nothing of it is a log entry. Keys: `profile`, `privacy`, `device:<id>`,
`contact:<id>`, `request:<id>`, `block:<id>`, `preferences:<conversation>`, `membership:<conversation>`,
`read:<conversation>`, `hidden:<conversation>:<message>`, `thread:<conversation>:<root>`, `draft:<conversation>`,
`scheduled:<id>`, `held:<id>`, `moderation:<conversation>` (of moderators: how many messages wait).
"""
