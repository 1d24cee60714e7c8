"""SQL of the profile itself: whose it is, its tokens, and how far the account is followed."""

from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import UUID

from aparte.client.store.db import Tx
from aparte.wire.accounts import Tokens
from aparte.wire.ids import AccountId, DeviceId


@dataclass(frozen=True, slots=True)
class ProfileRow:
    """Whose profile this is. Until it `is_confirmed` by the server, account and name are only what was asked for."""

    server: str
    account: AccountId
    device: DeviceId
    username: str
    is_confirmed: bool
    is_started: bool
    """Whether the store knows from where on to listen; from then on nothing is missed."""
    marker: str
    rev: int


@dataclass(frozen=True, slots=True)
class TokenRow:
    """What opens the doors."""

    access_token: str
    access_expires_at: datetime
    refresh_token: str

    def __repr__(self) -> str:
        """Keep tokens out of logs and tracebacks."""
        return f"TokenRow(access_expires_at={self.access_expires_at.isoformat()})"


def select_profile(tx: Tx) -> ProfileRow | None:
    """Read whose profile this is."""
    row = tx.row(
        "SELECT server, account_id, device_id, username, is_confirmed, is_started, marker, state_rev FROM profile"
    )
    if row is None:
        return None
    server, account, device, username, is_confirmed, is_started, marker, rev = row
    return ProfileRow(
        server,
        AccountId(UUID(bytes=account)),
        DeviceId(UUID(bytes=device)),
        username,
        bool(is_confirmed),
        bool(is_started),
        marker,
        rev,
    )


def upsert_profile(tx: Tx, server: str, account: AccountId, device: DeviceId, username: str) -> None:
    """Write down who this profile asks to be, before asking the server."""
    tx.run(
        """
        INSERT INTO profile (one, server, account_id, device_id, username) VALUES (1, ?, ?, ?, ?)
        ON CONFLICT (one) DO UPDATE SET server = excluded.server, account_id = excluded.account_id,
                                        device_id = excluded.device_id, username = excluded.username
        """,
        server,
        account.bytes,
        device.bytes,
        username,
    )


def update_confirmed(tx: Tx, account: AccountId, username: str) -> None:
    """Write down who the server says this is."""
    tx.run("UPDATE profile SET account_id = ?, username = ?, is_confirmed = 1", account.bytes, username)


def update_account(tx: Tx, account: AccountId) -> None:
    """Write down whose tokens these are; the name is confirmed next."""
    tx.run("UPDATE profile SET account_id = ?", account.bytes)


def update_server(tx: Tx, server: str) -> None:
    """Write down where the server is now."""
    tx.run("UPDATE profile SET server = ?", server)


def update_device(tx: Tx, device: DeviceId) -> None:
    """Be another device from here on."""
    tx.run("UPDATE profile SET device_id = ?", device.bytes)


def update_started(tx: Tx) -> None:
    """Write down that the store knows from where on to listen."""
    tx.run("UPDATE profile SET is_started = 1")


def update_marker(tx: Tx, marker: str) -> None:
    """Keep the marker of a welcome whose changes are all fetched."""
    tx.run("UPDATE profile SET marker = ?", marker)


def select_tokens(tx: Tx) -> TokenRow | None:
    """Read the tokens, if the profile is signed in."""
    row = tx.row("SELECT access_token, access_expires_at, refresh_token FROM tokens")
    return TokenRow(row[0], datetime.fromtimestamp(row[1] / 1000, UTC), row[2]) if row else None


def upsert_tokens(tx: Tx, tokens: Tokens) -> None:
    """Keep new tokens instead of the old ones."""
    tx.run(
        """
        INSERT INTO tokens (one, access_token, access_expires_at, refresh_token) VALUES (1, ?, ?, ?)
        ON CONFLICT (one) DO UPDATE SET access_token = excluded.access_token,
          access_expires_at = excluded.access_expires_at, refresh_token = excluded.refresh_token
        """,
        tokens.access_token,
        int(tokens.access_expires_at.timestamp() * 1000),
        tokens.refresh_token,
    )


def delete_tokens(tx: Tx) -> None:
    """Forget the tokens: signed out."""
    tx.run("DELETE FROM tokens")
