"""PostgreSQL, Valkey and the supervisor, as real processes that are really killed."""
