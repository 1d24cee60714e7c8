"""SQL of accounts."""

from collections.abc import Sequence
from typing import Any

import asyncpg
import msgspec

from aparte.server.accounts.model import Attempts, Credentials, NewAccount, PersonRow
from aparte.server.accounts.rules import Login
from aparte.server.kit.db import Reader, Row, Tx
from aparte.wire.accounts import Account, Privacy
from aparte.wire.errors import Refusal
from aparte.wire.ids import AccountId

TAKEN = {
    "accounts_pkey": "account_exists",
    "accounts_username_key": "username_taken",
    "accounts_email_key": "email_taken",
    "accounts_phone_key": "phone_taken",
}


CREDENTIALS = """
SELECT account_id, username, role, password_hash, is_active AND NOT is_suspended AS is_open,
       failed_login_attempts, lock_count, extract(epoch FROM locked_until - clock_timestamp()) AS locked
  FROM accounts
 WHERE kind = 'person' AND password_hash IS NOT NULL AND deleted_at IS NULL AND """


async def insert_account(tx: Tx, new: NewAccount) -> None:
    """Create an account. What is unique and in use is refused with a code of its own."""
    try:
        await tx.execute(
            """
            INSERT INTO accounts (account_id, kind, username, email, phone, display_name, language, time_zone, role,
                                  password_hash, last_seen_at)
            VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, clock_timestamp())
            """,
            new.account,
            new.kind,
            new.username,
            new.email,
            new.phone,
            new.display_name,
            new.language,
            new.time_zone,
            new.role,
            new.password_hash,
        )
    except asyncpg.UniqueViolationError as error:
        raise Refusal(TAKEN[error.constraint_name or ""]) from None


async def select_account(reader: Reader, account: AccountId) -> Account | None:
    """Read one's own account."""
    row = await reader.fetchrow(
        """
        SELECT account_id AS id, kind, username, email, phone, display_name, bio, avatar_url, status_text, time_zone,
               language, role, status, is_active, is_verified, privacy, last_login_at, last_seen_at, created_at,
               updated_at
          FROM accounts WHERE account_id = $1 AND deleted_at IS NULL
        """,
        account,
    )
    return msgspec.convert({**row, "privacy": _privacy(row)}, Account) if row else None


async def lock_account(tx: Tx, account: AccountId) -> bool:
    """Lock an account; False if there is none."""
    found = await tx.fetchval(
        "SELECT true FROM accounts WHERE account_id = $1 AND deleted_at IS NULL FOR NO KEY UPDATE", account
    )
    return bool(found)


async def lock_accounts(tx: Tx, accounts: Sequence[AccountId]) -> set[AccountId]:
    """Lock several accounts in the order of their ids; gives those that are there."""
    rows = await tx.fetch(
        """
        SELECT account_id FROM accounts WHERE account_id = ANY ($1::uuid[]) AND deleted_at IS NULL
         ORDER BY account_id FOR NO KEY UPDATE
        """,
        accounts,
    )
    return {row["account_id"] for row in rows}


async def lock_setup(tx: Tx) -> None:
    """Let one setup run at a time."""
    await tx.execute("SELECT pg_advisory_xact_lock(hashtext('aparte.setup'))")


async def select_has_admin(reader: Reader) -> bool:
    """Tell whether there is an administrator."""
    return bool(await reader.fetchval("SELECT true FROM accounts WHERE role = 'admin' AND deleted_at IS NULL LIMIT 1"))


async def select_system(reader: Reader) -> AccountId | None:
    """Find the account in whose name the server itself acts."""
    found: AccountId | None = await reader.fetchval(
        "SELECT account_id FROM accounts WHERE lower(username) = 'aparte' AND kind = 'system'"
    )
    return found


async def update_account(tx: Tx, account: AccountId, fields: dict[str, Any]) -> None:
    """Change the fields that are given, and no others."""
    await tx.execute(
        """
        UPDATE accounts SET
               display_name = CASE WHEN $2 ? 'display_name' THEN $2->>'display_name' ELSE display_name END,
               bio = CASE WHEN $2 ? 'bio' THEN $2->>'bio' ELSE bio END,
               status_text = CASE WHEN $2 ? 'status_text' THEN $2->>'status_text' ELSE status_text END,
               time_zone = CASE WHEN $2 ? 'time_zone' THEN $2->>'time_zone' ELSE time_zone END,
               language = CASE WHEN $2 ? 'language' THEN $2->>'language' ELSE language END,
               status = CASE WHEN $2 ? 'status' THEN ($2->>'status')::declared_status ELSE status END,
               privacy = CASE WHEN $2 ? 'privacy' THEN $2->'privacy' ELSE privacy END
         WHERE account_id = $1
        """,
        account,
        fields,
    )


async def update_password(tx: Tx, account: AccountId, old_hash: str, new_hash: str) -> bool:
    """Replace a hash, unless somebody else has meanwhile."""
    changed = await tx.execute(
        "UPDATE accounts SET password_hash = $3 WHERE account_id = $1 AND password_hash = $2",
        account,
        old_hash,
        new_hash,
    )
    return changed == 1


async def update_last_seen(tx: Tx, accounts: Sequence[AccountId]) -> None:
    """Note that people were here, each at most once a minute (C-15). Locks in the order of the ids."""
    await tx.execute(
        """
        UPDATE accounts SET last_seen_at = clock_timestamp()
         WHERE account_id IN
               (SELECT account_id FROM accounts
                 WHERE account_id = ANY($1::uuid[])
                   AND (last_seen_at IS NULL OR last_seen_at < clock_timestamp() - interval '1 minute')
                 ORDER BY account_id FOR NO KEY UPDATE)
        """,
        accounts,
    )


# Credentials ------------------------------------------------------------------------------------------------------


async def select_by_id(reader: Reader, account: AccountId) -> Credentials | None:
    """Find who says to be this account."""
    return _credentials(await reader.fetchrow(CREDENTIALS + "account_id = $1", account))


async def select_by_login(reader: Reader, login: Login) -> Credentials | None:
    """Find who logs in, by one indexed read (R-049). Names and addresses come in lower case, numbers as E.164."""
    if login.by == "username":
        row = await reader.fetchrow(CREDENTIALS + "lower(username) = $1", login.value)
    elif login.by == "email":
        row = await reader.fetchrow(CREDENTIALS + "lower(email) = $1 AND email IS NOT NULL", login.value)
    else:
        row = await reader.fetchrow(CREDENTIALS + "phone = $1", login.value)
    return _credentials(row)


async def update_attempts(tx: Tx, account: AccountId, attempts: Attempts) -> None:
    """Keep what a failed login cost."""
    await tx.execute(
        """
        UPDATE accounts
           SET failed_login_attempts = $2, lock_count = $3,
               locked_until = CASE WHEN $4::float8 > 0 THEN clock_timestamp() + make_interval(secs => $4) END
         WHERE account_id = $1
        """,
        account,
        attempts.failed,
        attempts.locks,
        attempts.locked_seconds,
    )


async def update_logged_in(tx: Tx, account: AccountId) -> None:
    """Note the time of a login."""
    await tx.execute(
        "UPDATE accounts SET last_login_at = clock_timestamp(), last_seen_at = clock_timestamp() WHERE account_id = $1",
        account,
    )


async def select_unknown(reader: Reader, name_key: bytes) -> Attempts:
    """Read what was tried on a name that nobody has."""
    row = await reader.fetchrow(
        """
        SELECT failed_login_attempts, lock_count, extract(epoch FROM locked_until - clock_timestamp()) AS locked
          FROM login_failures WHERE name_key = $1
        """,
        name_key,
    )
    return _attempts(row) if row else Attempts()


async def lock_unknown(tx: Tx, name_key: bytes) -> Attempts:
    """Lock a name that nobody has, so that guesses at it are counted one by one."""
    row = await tx.fetchrow(
        """
        INSERT INTO login_failures (name_key) VALUES ($1)
        ON CONFLICT (name_key) DO UPDATE SET tried_at = clock_timestamp()
        RETURNING failed_login_attempts, lock_count, extract(epoch FROM locked_until - clock_timestamp()) AS locked
        """,
        name_key,
    )
    assert row is not None  # noqa: S101 - an upsert returns its row
    return _attempts(row)


async def update_unknown(tx: Tx, name_key: bytes, attempts: Attempts) -> None:
    """Keep what a guess at a name that nobody has cost."""
    await tx.execute(
        """
        UPDATE login_failures
           SET failed_login_attempts = $2, lock_count = $3, tried_at = clock_timestamp(),
               locked_until = CASE WHEN $4::float8 > 0 THEN clock_timestamp() + make_interval(secs => $4) END
         WHERE name_key = $1
        """,
        name_key,
        attempts.failed,
        attempts.locks,
        attempts.locked_seconds,
    )


async def delete_stale_unknown(tx: Tx) -> int:
    """Forget names that nobody has and nobody has tried for two days: longer than any lock."""
    return await tx.execute("DELETE FROM login_failures WHERE tried_at < clock_timestamp() - interval '2 days'")


def _attempts(row: Row) -> Attempts:
    return Attempts(row["failed_login_attempts"], row["lock_count"], max(0.0, float(row["locked"] or 0)))


def _credentials(row: Row | None) -> Credentials | None:
    if row is None:
        return None
    return Credentials(
        account=row["account_id"],
        username=row["username"],
        role=row["role"],
        password_hash=row["password_hash"],
        is_open=row["is_open"],
        attempts=_attempts(row),
    )


# Others -----------------------------------------------------------------------------------------------------------


async def select_people(reader: Reader, accounts: Sequence[AccountId]) -> list[PersonRow]:
    """Read several accounts as others may see them; deleted ones are not there."""
    rows = await reader.fetch(
        """
        SELECT account_id, kind, username, display_name, avatar_url, bio, status_text, status, privacy, last_seen_at
          FROM accounts WHERE account_id = ANY($1::uuid[]) AND deleted_at IS NULL
        """,
        accounts,
    )
    return [_person(row) for row in rows]


async def select_people_by_username(reader: Reader, usernames: Sequence[str]) -> list[PersonRow]:
    """Find people by user name (lower case)."""
    rows = await reader.fetch(
        """
        SELECT account_id, kind, username, display_name, avatar_url, bio, status_text, status, privacy, last_seen_at
          FROM accounts WHERE lower(username) = ANY($1::text[]) AND kind <> 'placeholder' AND deleted_at IS NULL
        """,
        usernames,
    )
    return [_person(row) for row in rows]


async def select_people_at(reader: Reader, email: str | None, phone: str | None) -> list[PersonRow]:
    """Find who uses an e-mail address (lower case) or a phone number (E.164): one at most of each."""
    rows = await reader.fetch(
        """
        SELECT account_id, kind, username, display_name, avatar_url, bio, status_text, status, privacy, last_seen_at
          FROM accounts
         WHERE ((lower(email) = $1 AND email IS NOT NULL) OR phone = $2) AND kind = 'person' AND is_active
           AND NOT is_suspended AND deleted_at IS NULL
        """,
        email,
        phone,
    )
    return [_person(row) for row in rows]


def _person(row: Row) -> PersonRow:
    return PersonRow(
        account=row["account_id"],
        kind=row["kind"],
        username=row["username"],
        display_name=row["display_name"],
        avatar_url=row["avatar_url"],
        bio=row["bio"],
        status_text=row["status_text"],
        status=row["status"],
        privacy=_privacy(row),
        last_seen_at=row["last_seen_at"],
    )


def _privacy(row: Row) -> Privacy:
    """Read privacy as it was meant: who chose who may write, before adding was a choice of its own, chose both."""
    stored = row["privacy"]
    before = {"may_add": stored["may_write"]} if "may_write" in stored else {}
    return msgspec.convert(before | stored, Privacy)
