"""Figures of this process for Prometheus. Every label comes from a closed set of our own: no id, no name, no address.

Counters are cheap enough for the hot path (about 1 µs); latencies are measured at the doors and around batches only.
"""

from prometheus_client import (
    CONTENT_TYPE_LATEST,
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    disable_created_metrics,
    generate_latest,
)
from prometheus_client.gc_collector import GCCollector
from prometheus_client.process_collector import ProcessCollector

# A second series beside every counter, which nobody asks for.
disable_created_metrics()  # type: ignore[no-untyped-call]  # the library leaves this one untyped

REGISTRY = CollectorRegistry(auto_describe=True)
"""Ours alone: whatever else a library registers stays out."""
ProcessCollector(registry=REGISTRY)
GCCollector(registry=REGISTRY)

_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
_SIZES = (1, 2, 5, 10, 25, 50, 100, 250, 500, 1000)

# the doors
REQUESTS = Counter("aparte_requests", "REST requests answered.", ["method", "route", "status"], registry=REGISTRY)
REQUEST_SECONDS = Histogram(
    "aparte_request_seconds", "From a request's head to its answer.", ["route"], buckets=_SECONDS, registry=REGISTRY
)
FRAMES = Counter("aparte_frames", "Gateway frames handled.", ["type"], registry=REGISTRY)
REFUSALS = Counter("aparte_refusals", "What was refused, by error code.", ["code"], registry=REGISTRY)

# the log
SENDS = Counter("aparte_sends", "Messages stored, repeated or refused.", ["outcome"], registry=REGISTRY)
BATCH_MESSAGES = Histogram(
    "aparte_batch_messages", "Messages written by one commit.", buckets=_SIZES, registry=REGISTRY
)
BATCH_SECONDS = Histogram("aparte_batch_seconds", "One batch, commit included.", buckets=_SECONDS, registry=REGISTRY)

# the doorbell
SOCKETS = Gauge("aparte_sockets", "Open gateways.", registry=REGISTRY)
DELIVERIES = Counter("aparte_deliveries", "Frames pushed to sockets.", registry=REGISTRY)
SLOW_READERS = Counter("aparte_slow_readers", "Sockets closed because they did not read.", registry=REGISTRY)
LOOKS = Counter("aparte_looks", "Looks for lost hints.", registry=REGISTRY)
BUS_HINTS = Counter("aparte_bus_hints", "Hints exchanged with other processes.", ["direction"], registry=REGISTRY)

# the stores
STATEMENTS = Counter("aparte_statements", "Statements to PostgreSQL, BEGIN and COMMIT included.", registry=REGISTRY)
POOL_CONNECTIONS = Gauge("aparte_pool_connections", "Connections to PostgreSQL.", ["pool", "state"], registry=REGISTRY)
VALKEY_AVAILABLE = Gauge("aparte_valkey_available", "Whether Valkey answers (1) or not (0).", registry=REGISTRY)
VALKEY_DROPS = Counter("aparte_valkey_drops", "Hints that were not published.", registry=REGISTRY)

# the jobs
JOBS = Counter("aparte_jobs", "Jobs and scheduled steps that ended.", ["job", "outcome"], registry=REGISTRY)
LAST_PARTITION_USED = Gauge(
    "aparte_last_partition_used",
    "1: rows stand in the partition that must stay empty; months were not made in time.",
    ["table"],
    registry=REGISTRY,
)


def render() -> tuple[bytes, str]:
    """All figures as Prometheus reads them, and their content type."""
    return generate_latest(REGISTRY), CONTENT_TYPE_LATEST
