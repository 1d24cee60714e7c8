"""What `aparte up` starts on one machine: PostgreSQL, Valkey and the server's workers, all children of one process.

The data folder, 0700, all it holds and whose it is:

```
DATA/
  lock        held (flock) by the one supervisor that uses the folder
  postgres/   the PostgreSQL cluster, 0700; of the service user if the supervisor is root
  valkey/     the working folder of Valkey; it holds hints only and stays empty
  objects/    sealed objects: each a file, kept for thirty days
  logs/       postgres.log, valkey.log; the workers write to the terminal
  secrets/    0600 each: passwords, the server's key, the setup token, the addresses for `aparte migrate`
```

On the way of `aparte up`: `cli.hosting` → `supervisor` → `postgres`, `valkey` (what) → `launch` (how to start).
"""
