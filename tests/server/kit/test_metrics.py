"""Figures: rendered for Prometheus, with labels out of closed sets only."""

from prometheus_client.parser import text_string_to_metric_families

from aparte.server.kit import metrics

LABELS = {"method", "route", "status", "type", "code", "outcome", "direction", "pool", "state", "job", "table", "le"}


def test_what_is_counted_is_rendered_as_prometheus_reads_it() -> None:
    before = metrics.REGISTRY.get_sample_value("aparte_looks_total") or 0
    metrics.LOOKS.inc()
    metrics.REQUESTS.labels("GET", "/conversations/{conversation}", "200").inc()
    text, content_type = metrics.render()
    assert content_type.startswith("text/plain")
    families = {family.name: family for family in text_string_to_metric_families(text.decode())}
    assert families["aparte_looks"].samples[0].value == before + 1
    assert "process_resident_memory_bytes" in families


def test_no_label_can_hold_an_id_or_a_name() -> None:
    for family in metrics.REGISTRY.collect():
        if family.name.startswith("aparte_"):
            for sample in family.samples:
                assert set(sample.labels) <= LABELS, family.name
