"""The audit trail: who did what, written inside the transaction that did it.

Owns `audit_entries` (append-only: PostgreSQL itself refuses to change them). Holds ids, never content or secrets;
addresses and programs for security events alone (C-47).
"""
