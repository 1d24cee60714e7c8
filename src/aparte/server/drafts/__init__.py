"""Drafts: what somebody is writing in a conversation, sealed among one's own devices.

Owns no table: a draft is one value of the account state, under `draft:<conversation>`, so the last one wins and every
device has it with everything else. Invariants: only sealed bytes, which the server cannot read; only where one is in;
one for each conversation.
"""
