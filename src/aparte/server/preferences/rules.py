"""Pure rules of preferences: what follows from a change, and from the time."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import msgspec
from msgspec import structs

from aparte.server.kit.names import check_name
from aparte.wire import limits
from aparte.wire.codec import to_json
from aparte.wire.conversations import Preferences, PreferencesChange
from aparte.wire.errors import Refusal


def current(stored: Preferences, now: datetime) -> Preferences:
    """Give preferences as they are now: a mute that has ended is none (R-168)."""
    is_over = stored.muted_until is not None and stored.muted_until <= now
    return structs.replace(stored, muted_until=None) if is_over else stored


def merged(old: Preferences, wanted: PreferencesChange, now: datetime) -> Preferences:
    """Lay a change over preferences; fields left out stay. Raises Refusal `invalid`."""
    given = {name: getattr(wanted, name) for name in wanted.__struct_fields__}
    fields = {name: value for name, value in given.items() if value is not msgspec.UNSET}
    if "labels" in fields:
        fields["labels"] = clean_labels(fields["labels"])
    if "settings" in fields:
        check_settings(fields["settings"])
    return current(structs.replace(old, **fields), now)


def clean_labels(labels: Sequence[str]) -> list[str]:
    """Give labels as they are stored: names, each once, in the order given. Raises Refusal `invalid`."""
    if len(labels) > limits.LABELS:
        raise Refusal("invalid", f"at most {limits.LABELS} labels")
    return list(dict.fromkeys(check_name(label, limits.LABEL, "a label") for label in labels))


def check_settings(settings: dict[str, Any]) -> None:
    """Refuse free JSON that is larger than allowed."""
    if len(to_json(settings)) > limits.METADATA_BYTES:
        raise Refusal("invalid", f"settings are larger than {limits.METADATA_BYTES} bytes")
