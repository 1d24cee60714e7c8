"""The server: vertical slices over one PostgreSQL log, and a lossy doorbell. `routes.py` lists all of its doors."""
