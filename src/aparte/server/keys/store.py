"""SQL of device lists, prekeys and payloads."""

from collections.abc import Sequence

import asyncpg

from aparte.e2ee.device_list import DeviceList
from aparte.server.keys.model import PrekeyRow, Question, Taken, Waiting
from aparte.server.kit.db import Reader, Row, Tx
from aparte.wire import limits
from aparte.wire.errors import Refusal
from aparte.wire.ids import AccountId, DeviceId, PayloadId
from aparte.wire.keys import KemPrekey, OneTimePrekey, Payload, SignedList, SignedPrekey

KEPT_DAYS = 60
BATCH = 5_000
PAGE_BYTES = 262_144
"""A page of payloads holds so many bytes, or one payload."""


# Lists ------------------------------------------------------------------------------------------------------------


async def insert_list(tx: Tx, account: AccountId, devices: DeviceList, signed: SignedList) -> None:
    """Keep a version for ever. One that is there already is refused with `stale_list`."""
    try:
        await tx.execute(
            """
            INSERT INTO device_lists (account_id, version, list, signature, previous_signature, hash)
            VALUES ($1, $2, $3, $4, $5, $6)
            """,
            account,
            devices.version,
            signed.list,
            signed.signature,
            signed.previous_signature,
            devices.hash,
        )
    except asyncpg.UniqueViolationError:
        raise Refusal("stale_list") from None


async def select_newest(reader: Reader, accounts: Sequence[AccountId]) -> dict[AccountId, SignedList]:
    """Read the newest list of each account that has one."""
    rows = await reader.fetch(
        """
        SELECT l.account_id, l.list, l.signature, l.previous_signature
          FROM unnest($1::uuid[]) AS a (account_id)
         CROSS JOIN LATERAL (SELECT * FROM device_lists d WHERE d.account_id = a.account_id
                              ORDER BY d.version DESC LIMIT 1) l
        """,
        accounts,
    )
    return {row["account_id"]: _list(row) for row in rows}


async def select_first(reader: Reader, account: AccountId) -> SignedList | None:
    """Read the list an account began with."""
    row = await reader.fetchrow(
        """
        SELECT list, signature, previous_signature FROM device_lists WHERE account_id = $1 AND version = 1
        """,
        account,
    )
    return _list(row) if row else None


async def select_after(reader: Reader, asked: Sequence[Question], most: int) -> dict[AccountId, list[SignedList]]:
    """Read the versions after those that are known, in order, at most so many of each account."""
    rows = await reader.fetch(
        """
        SELECT l.account_id, l.list, l.signature, l.previous_signature
          FROM unnest($1::uuid[], $2::bigint[]) AS a (account_id, version)
         CROSS JOIN LATERAL (SELECT * FROM device_lists d
                              WHERE d.account_id = a.account_id AND d.version > a.version
                              ORDER BY d.version LIMIT $3) l
         ORDER BY l.account_id, l.version
        """,
        [question.account for question in asked],
        [question.after for question in asked],
        most,
    )
    found: dict[AccountId, list[SignedList]] = {}
    for row in rows:
        found.setdefault(row["account_id"], []).append(_list(row))
    return found


def _list(row: Row) -> SignedList:
    return SignedList(row["list"], row["signature"], row["previous_signature"])


# Prekeys ----------------------------------------------------------------------------------------------------------


async def insert_prekeys(tx: Tx, account: AccountId, row: PrekeyRow) -> bool:
    """Keep what a device publishes first; False if somebody was faster."""
    return bool(
        await tx.execute(
            """
            INSERT INTO device_prekeys (device_id, account_id, registration_id, identity,
                                        signed_id, signed_key, signed_signature,
                                        last_resort_id, last_resort_key, last_resort_signature)
            VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
            ON CONFLICT (device_id) DO NOTHING
            """,
            row.device,
            account,
            row.registration_id,
            row.identity,
            *_renewed(row),
        )
    )


async def lock_prekeys(tx: Tx, account: AccountId, device: DeviceId) -> PrekeyRow | None:
    """Lock what a device has published."""
    row = await tx.fetchrow(
        "SELECT * FROM device_prekeys WHERE device_id = $2 AND account_id = $1 FOR NO KEY UPDATE", account, device
    )
    return _prekeys(row) if row else None


async def select_prekeys(
    reader: Reader, owned: Sequence[tuple[AccountId, DeviceId]]
) -> dict[tuple[AccountId, DeviceId], PrekeyRow]:
    """Read what devices have published; one that is another account's than it is asked of is not found."""
    rows = await reader.fetch(
        """
        SELECT p.* FROM unnest($1::uuid[], $2::uuid[]) AS u (account_id, device_id)
          JOIN device_prekeys p ON p.device_id = u.device_id AND p.account_id = u.account_id
        """,
        [account for account, _ in owned],
        [device for _, device in owned],
    )
    return {(row["account_id"], row["device_id"]): _prekeys(row) for row in rows}


async def update_prekeys(tx: Tx, row: PrekeyRow) -> None:
    """Keep renewed prekeys and the high marks."""
    await tx.execute(
        """
        UPDATE device_prekeys
           SET signed_id = $2, signed_key = $3, signed_signature = $4,
               last_resort_id = $5, last_resort_key = $6, last_resort_signature = $7,
               one_time_high = $8, one_time_kem_high = $9, updated_at = clock_timestamp()
         WHERE device_id = $1
        """,
        row.device,
        *_renewed(row),
        row.one_time_high,
        row.one_time_kem_high,
    )


async def insert_one_time(
    tx: Tx, device: DeviceId, given: Sequence[OneTimePrekey | KemPrekey], *, is_kem: bool
) -> None:
    """Put one-time prekeys of a kind into stock; of more than the server keeps, the oldest go."""
    await tx.execute(
        """
        INSERT INTO one_time_prekeys (device_id, is_kem, key_id, key, signature)
        SELECT $1, $2, k.id, k.key, k.signature FROM unnest($3::bigint[], $4::bytea[], $5::bytea[])
            AS k (id, key, signature)
        """,
        device,
        is_kem,
        [key.id for key in given],
        [key.key for key in given],
        [key.signature if isinstance(key, KemPrekey) else None for key in given],
    )
    await tx.execute(
        """
        DELETE FROM one_time_prekeys WHERE (device_id, is_kem, key_id) IN (
          SELECT device_id, is_kem, key_id FROM one_time_prekeys WHERE device_id = $1 AND is_kem = $2
           ORDER BY key_id DESC OFFSET $3 FOR UPDATE SKIP LOCKED)
        """,
        device,
        is_kem,
        limits.ONE_TIME_PREKEYS_KEPT,
    )


async def select_one_time(reader: Reader, device: DeviceId, ids: Sequence[int], *, is_kem: bool) -> dict[int, bytes]:
    """Read which of these one-time prekeys are still in stock."""
    rows = await reader.fetch(
        """
        SELECT key_id, key FROM one_time_prekeys
         WHERE device_id = $1 AND is_kem = $2 AND key_id = ANY($3::bigint[])
        """,
        device,
        is_kem,
        ids,
    )
    return {row["key_id"]: row["key"] for row in rows}


async def count_one_time(reader: Reader, device: DeviceId) -> tuple[int, int]:
    """Count the stock of either kind."""
    row = await reader.fetchrow(
        """
        SELECT count(*) FILTER (WHERE NOT is_kem) AS plain, count(*) FILTER (WHERE is_kem) AS kem
          FROM one_time_prekeys WHERE device_id = $1
        """,
        device,
    )
    assert row is not None  # noqa: S101 - a count returns its row
    return row["plain"], row["kem"]


async def take_one_time(tx: Tx, devices: Sequence[DeviceId]) -> list[Taken]:
    """Take the oldest one-time prekey of either kind of each device, as far as there are any.

    Askers at once take different ones: what one of them holds, the others pass over.
    """
    rows = await tx.fetch(
        """
        WITH taken AS (
          SELECT free.device_id, free.is_kem, free.key_id
            FROM unnest($1::uuid[]) AS d (device_id)
           CROSS JOIN (VALUES (false), (true)) AS k (is_kem)
           CROSS JOIN LATERAL (SELECT o.device_id, o.is_kem, o.key_id FROM one_time_prekeys o
                                WHERE o.device_id = d.device_id AND o.is_kem = k.is_kem
                                ORDER BY o.key_id LIMIT 1 FOR UPDATE SKIP LOCKED) free)
        DELETE FROM one_time_prekeys o USING taken t
         WHERE o.device_id = t.device_id AND o.is_kem = t.is_kem AND o.key_id = t.key_id
        RETURNING o.device_id, o.is_kem, o.key_id, o.key, o.signature
        """,
        devices,
    )
    return [Taken(row["device_id"], _one_time(row)) for row in rows]


async def delete_prekeys(tx: Tx, devices: Sequence[DeviceId]) -> None:
    """Forget everything that devices have published."""
    await tx.execute("DELETE FROM device_prekeys WHERE device_id = ANY($1::uuid[])", devices)
    await tx.execute("DELETE FROM one_time_prekeys WHERE device_id = ANY($1::uuid[])", devices)


def _renewed(row: PrekeyRow) -> tuple[object, ...]:
    signed, kem = row.signed, row.last_resort
    return signed.id, signed.key, signed.signature, kem.id, kem.key, kem.signature


def _prekeys(row: Row) -> PrekeyRow:
    return PrekeyRow(
        device=row["device_id"],
        registration_id=row["registration_id"],
        identity=row["identity"],
        signed=SignedPrekey(row["signed_id"], row["signed_key"], row["signed_signature"]),
        last_resort=KemPrekey(row["last_resort_id"], row["last_resort_key"], row["last_resort_signature"]),
        one_time_high=row["one_time_high"],
        one_time_kem_high=row["one_time_kem_high"],
    )


def _one_time(row: Row) -> OneTimePrekey | KemPrekey:
    if row["is_kem"]:
        return KemPrekey(row["key_id"], row["key"], row["signature"])
    return OneTimePrekey(row["key_id"], row["key"])


# Payloads ---------------------------------------------------------------------------------------------------------


async def select_shares_encrypted(reader: Reader, one: AccountId, other: AccountId) -> bool:
    """Tell whether two people are members of one end-to-end encrypted conversation."""
    found = await reader.fetchval(
        """
        SELECT EXISTS (
          SELECT 1 FROM members a
            JOIN members b ON b.conversation_id = a.conversation_id AND b.account_id = $2 AND b.left_at IS NULL
            JOIN conversations c ON c.conversation_id = a.conversation_id
           WHERE a.account_id = $1 AND a.left_at IS NULL AND c.encryption_mode = 'e2ee' AND c.deleted_at IS NULL)
        """,
        one,
        other,
    )
    return bool(found)


async def lock_devices(tx: Tx, devices: Sequence[DeviceId]) -> None:
    """Let one sender at a time count what waits for these devices; locked in the order of their ids."""
    await tx.execute(
        """
        SELECT 1 FROM device_prekeys WHERE device_id = ANY($1::uuid[]) ORDER BY device_id FOR NO KEY UPDATE
        """,
        devices,
    )


async def count_payloads(reader: Reader, devices: Sequence[DeviceId]) -> dict[DeviceId, int]:
    """Count what waits for each device."""
    rows = await reader.fetch(
        "SELECT device_id, count(*) AS n FROM device_envelopes WHERE device_id = ANY($1::uuid[]) GROUP BY device_id",
        devices,
    )
    return {row["device_id"]: row["n"] for row in rows}


async def insert_payloads(tx: Tx, account: AccountId, sender: DeviceId, some: Sequence[Waiting]) -> list[DeviceId]:
    """Keep payloads that are not there yet; returns the devices that have something new."""
    rows = await tx.fetch(
        """
        INSERT INTO device_envelopes (device_id, id, account_id, sender_device_id, payload_id, type, body)
        SELECT p.device_id, id_now(clock_timestamp()), $1, $2, p.payload_id, p.type, p.body
          FROM unnest($3::uuid[], $4::uuid[], $5::smallint[], $6::bytea[]) AS p (device_id, payload_id, type, body)
        ON CONFLICT (device_id, sender_device_id, payload_id) DO NOTHING
        RETURNING device_id
        """,
        account,
        sender,
        [one.device for one in some],
        [one.payload_id for one in some],
        [one.type for one in some],
        [one.body for one in some],
    )
    return list(dict.fromkeys(row["device_id"] for row in rows))


async def select_payloads(reader: Reader, device: DeviceId) -> tuple[list[Payload], bool]:
    """Read the oldest payloads of a device, bounded by number and bytes; tells whether there are more."""
    rows = await reader.fetch(
        """
        SELECT id, account_id, sender_device_id, type, body, place > 1 AND bytes > $3 OR place > $2 AS is_beyond
          FROM (SELECT e.*, row_number() OVER o AS place, sum(length(body)) OVER o AS bytes
                  FROM (SELECT * FROM device_envelopes WHERE device_id = $1 ORDER BY id LIMIT $2 + 1) e
                WINDOW o AS (ORDER BY id)) counted
         ORDER BY id
        """,
        device,
        limits.PAGE_PAYLOADS,
        PAGE_BYTES,
    )
    page = [
        Payload(row["id"], row["account_id"], row["sender_device_id"], row["type"], row["body"])
        for row in rows
        if not row["is_beyond"]
    ]
    return page, len(page) < len(rows)


async def delete_payloads(tx: Tx, device: DeviceId, ids: Sequence[PayloadId]) -> None:
    """Forget payloads that their device has."""
    await tx.execute("DELETE FROM device_envelopes WHERE device_id = $1 AND id = ANY($2::uuid[])", device, ids)


async def delete_payloads_of(tx: Tx, devices: Sequence[DeviceId]) -> None:
    """Forget everything that waits for these devices."""
    await tx.execute("DELETE FROM device_envelopes WHERE device_id = ANY($1::uuid[])", devices)


async def delete_old_payloads(tx: Tx) -> int:
    """Delete a batch of payloads that nobody fetched in 60 days."""
    return await tx.execute(
        """
        DELETE FROM device_envelopes WHERE id IN (
          SELECT id FROM device_envelopes WHERE id < id_at(clock_timestamp() - make_interval(days => $1))
           ORDER BY id LIMIT $2 FOR UPDATE SKIP LOCKED)
        """,
        KEPT_DAYS,
        BATCH,
    )
