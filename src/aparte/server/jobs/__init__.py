"""What must happen: jobs queued inside the transaction that wants them, and steps that the calendar starts.

PgQueuer is the queue and the scheduler (SKIP LOCKED; every process runs both, each job and each round of a schedule is
run by one of them). Owns `pgqueuer`, `pgqueuer_log`, `pgqueuer_schedules` and `pgqueuer_statistics`, which PgQueuer
defines; reads the last partitions of `messages`, `entries` and `message_search`, to see that they are empty.

Invariants: a job is run at least once, so handlers are idempotent; it is forgotten only when it succeeded; nothing of
what a failing handler's exception says is stored or logged, its type only.
"""
