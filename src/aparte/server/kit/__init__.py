"""Tools that know no domain: database, doorbell, limits, tasks, logs. Slices import from here, never the reverse."""
