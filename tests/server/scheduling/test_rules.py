"""When something can be scheduled, and what follows from how sending it went."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest

from aparte.server.scheduling import rules
from aparte.server.scheduling.model import Due, ScheduledRow
from aparte.wire.content import MessageContent
from aparte.wire.errors import CODES, Refusal
from aparte.wire.ids import AccountId, ClientMessageId, ConversationId, DeviceId, ScheduledId
from aparte.wire.messages import NewScheduled, ScheduledChange, ScheduledSeal, SendMessage

NOW = datetime(2026, 5, 1, 12, tzinfo=UTC)
SEAL = ScheduledSeal(1, bytes(32), bytes(192))


def message(key: ClientMessageId) -> SendMessage:
    """Words."""
    return SendMessage(key, MessageContent("words"))


def row(*, sealed: bool = False, due: datetime = NOW + timedelta(hours=1)) -> ScheduledRow:
    """One that waits."""
    key = ClientMessageId(uuid4())
    return ScheduledRow(
        ScheduledId(uuid4()),
        ConversationId(uuid4()),
        AccountId(uuid4()),
        DeviceId(uuid4()),
        key,
        7,
        due,
        "waiting",
        NOW,
        None if sealed else message(key),
        SEAL if sealed else None,
    )


def code_of(call: object) -> str:
    """The code that something is refused with."""
    with pytest.raises(Refusal) as refusal:
        call()  # type: ignore[operator]
    return refusal.value.code


@pytest.mark.parametrize(("is_sealed", "days"), [(False, 366), (True, 21)])
def test_from_a_second_to_a_year_ahead_and_sealed_to_three_weeks(is_sealed: bool, days: int) -> None:
    for right in (NOW + timedelta(seconds=1), NOW + timedelta(days=days)):
        assert rules.check_due(right, NOW, is_sealed=is_sealed) == right
    tick = timedelta(microseconds=1)
    for wrong in (NOW + timedelta(seconds=1) - tick, NOW + timedelta(days=days) + tick, NOW - timedelta(days=1)):
        assert code_of(lambda wrong=wrong: rules.check_due(wrong, NOW, is_sealed=is_sealed)) == "invalid"


def test_a_time_without_a_zone_is_nobodys_time() -> None:
    assert code_of(lambda: rules.check_due(datetime(2026, 6, 1), NOW, is_sealed=False)) == "invalid"  # noqa: DTZ001


def test_either_words_or_what_is_sealed_under_one_client_id() -> None:
    key = ClientMessageId(uuid4())
    rules.check_form(NewScheduled(key, NOW, message(key)))
    rules.check_form(NewScheduled(key, NOW, None, SEAL))
    other = message(ClientMessageId(uuid4()))
    for wrong in (NewScheduled(key, NOW), NewScheduled(key, NOW, message(key), SEAL), NewScheduled(key, NOW, other)):
        assert code_of(lambda wrong=wrong: rules.check_form(wrong)) == "invalid"


def test_what_is_due_or_over_is_nobodys_to_change() -> None:
    waiting = row()
    rules.check_open(waiting, waiting.due - timedelta(microseconds=1))
    assert code_of(lambda: rules.check_open(waiting, waiting.due)) == "over"
    for status in ("sent", "cancelled", "refused"):
        over = replace(waiting, status=status)
        assert code_of(lambda over=over: rules.check_open(over, NOW)) == "over"
    rules.check_removable(replace(waiting, status="refused"), NOW)


def test_a_stale_one_is_open_however_late_it_is() -> None:
    stale = replace(row(sealed=True), status="stale")
    renewed = rules.changed(stale, ScheduledChange(sealed=SEAL), stale.due + timedelta(days=3))
    assert (renewed.status, renewed.due) == ("waiting", stale.due)


def test_what_is_left_out_stays() -> None:
    waiting = row()
    later = NOW + timedelta(days=2)
    assert rules.changed(waiting, ScheduledChange(due=later), NOW) == replace(waiting, due=later)
    words = SendMessage(waiting.client_message_id, MessageContent("other words"))
    assert rules.changed(waiting, ScheduledChange(message=words), NOW) == replace(waiting, message=words)


def test_changes_that_cannot_be_made() -> None:
    waiting, sealed = row(), row(sealed=True)
    assert code_of(lambda: rules.changed(waiting, ScheduledChange(), NOW)) == "invalid"
    assert code_of(lambda: rules.changed(waiting, ScheduledChange(sealed=SEAL), NOW)) == "mode_mismatch"
    words = message(sealed.client_message_id)
    assert code_of(lambda: rules.changed(sealed, ScheduledChange(message=words), NOW)) == "mode_mismatch"
    assert code_of(lambda: rules.changed(sealed, ScheduledChange(due=NOW + timedelta(days=1)), NOW)) == "invalid"
    other = message(ClientMessageId(uuid4()))
    assert code_of(lambda: rules.changed(waiting, ScheduledChange(message=other), NOW)) == "invalid"


def due(*, sealed: bool = False, late: float = 0.0) -> Due:
    """One whose time has come."""
    return Due(row(sealed=sealed), "user", is_open=True, late_seconds=late)


def test_every_refusal_has_a_consequence() -> None:
    """A code that were forgotten would leave a message waiting for ever, or lose it."""
    for code in CODES:
        readable, sealed = rules.refused(due(), code), rules.refused(due(sealed=True), code)
        if code == "held":
            assert (readable.status, sealed.status) == ("sent", "sent")
        elif code in rules.TRANSIENT:
            assert readable.status == sealed.status == "waiting"
            assert readable.again_seconds >= 1
        elif code in rules.STALE:
            assert (readable.status, sealed.status) == ("refused", "stale")
        else:
            assert (readable.status, readable.refused) == ("refused", code)


def test_what_nothing_came_of_is_tried_ever_more_rarely_and_given_up_if_it_is_our_fault() -> None:
    pauses = [rules.refused(due(late=late), "unavailable").again_seconds for late in (0, 10, 1_000, 10**6)]
    assert pauses == sorted(pauses)
    assert pauses[-1] == rules.LONGEST_PAUSE
    assert rules.refused(due(late=rules.GIVEN_UP_SECONDS), "internal").status == "waiting"
    assert rules.refused(due(late=rules.GIVEN_UP_SECONDS + 1), "internal").status == "refused"


def test_the_account_state_has_no_sealed_bytes_and_nothing_of_what_is_over() -> None:
    value = rules.state_of(row(sealed=True))
    assert value is not None
    assert value.sealed is None
    assert rules.state_of(replace(row(), status="refused", refused="silenced")) is not None
    for status in ("sent", "cancelled"):
        assert rules.state_of(replace(row(), status=status, message=None)) is None


def test_guests_and_closed_accounts_say_nothing() -> None:
    assert rules.who_may(due()) is None
    assert rules.who_may(replace(due(), role="guest")) == "forbidden"
    assert rules.who_may(replace(due(), is_open=False)) == "account_closed"
