"""Opens the store: key, safety settings, migrations; and the one way to a transaction.

SQLCipher encrypts every page, the write-ahead log too. The key is either 32 random bytes of a key file, or made from a
passphrase by SQLCipher (PBKDF2-HMAC-SHA512, 256,000 rounds). Deleted content is overwritten (`secure_delete`).
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib import resources
from pathlib import Path
from typing import Any

from sqlcipher3 import dbapi2 as sqlcipher

from aparte.client.errors import ClientError

BUSY_SECONDS = 15
"""How long a transaction waits for those of other processes; each of them lasts milliseconds."""
STATEMENTS = 1_000
"""More than there are, migrations included: a full cache gives up the newest statement first, and preparing one again
takes longer than running it."""
Row = tuple[Any, ...]


class Tx:
    """A transaction that is under way."""

    def __init__(self, connection: Any) -> None:
        """Wrap the connection for the time of the transaction."""
        self._connection = connection

    def rows(self, sql: str, *values: Any) -> list[Row]:
        """Run a query and give all rows."""
        found: list[Row] = self._connection.execute(sql, values).fetchall()
        return found

    def row(self, sql: str, *values: Any) -> Row | None:
        """Run a query and give its first row."""
        found: Row | None = self._connection.execute(sql, values).fetchone()
        return found

    def run(self, sql: str, *values: Any) -> int:
        """Run a statement and give the number of rows it changed."""
        return int(self._connection.execute(sql, values).rowcount)

    def run_many(self, sql: str, rows: Sequence[Row]) -> None:
        """Run a statement for each of many rows."""
        self._connection.executemany(sql, rows)

    def insert(self, sql: str, *values: Any) -> int:
        """Run an insertion and give the new row's number."""
        return int(self._connection.execute(sql, values).lastrowid)


class Store:
    """The open store of a profile."""

    def __init__(self, path: Path, key: bytes | str) -> None:
        """Open, and migrate what is older. `key` is 32 bytes, or a passphrase. Raises ClientError."""
        path.touch(mode=0o600)
        self._is_durable: bool | None = None
        self._connection = sqlcipher.connect(
            str(path), isolation_level=None, timeout=BUSY_SECONDS, cached_statements=STATEMENTS
        )
        try:
            self._unlock(key)
            self._migrate()
        except BaseException:
            self._connection.close()
            raise

    def close(self) -> None:
        """Close the file."""
        self._connection.close()

    @contextmanager
    def transaction(self, *, durable: bool = False) -> Iterator[Tx]:
        """Begin with the write lock; commit at the end, roll back on any exception.

        A committed transaction survives the end of the process. `durable` ones, and all before them, also survive a
        loss of power, for a flush of the disk: for what could not be asked for again.
        """
        if durable is not self._is_durable:
            self._connection.execute(f"PRAGMA synchronous = {'FULL' if durable else 'NORMAL'}")
            self._is_durable = durable
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            yield Tx(self._connection)
        except BaseException:
            self._connection.execute("ROLLBACK")
            raise
        self._connection.execute("COMMIT")

    def settle(self) -> None:
        """Make everything that is committed survive a loss of power."""
        with self.transaction(durable=True) as tx:
            tx.run("UPDATE profile SET state_rev = state_rev")

    @contextmanager
    def reading(self) -> Iterator[Tx]:
        """Read from one moment's snapshot, in nobody's way."""
        self._connection.execute("BEGIN")
        try:
            yield Tx(self._connection)
        finally:
            self._connection.execute("COMMIT")

    def version(self) -> int:
        """Give a number that changes when another process has written."""
        return int(self._connection.execute("PRAGMA data_version").fetchone()[0])

    def _unlock(self, key: bytes | str) -> None:
        secret = f"x'{key.hex()}'" if isinstance(key, bytes) else key
        quoted = secret.replace('"', '""')
        self._connection.execute(f'PRAGMA key = "{quoted}"')  # PRAGMA takes no parameters
        try:
            self._connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()
        except sqlcipher.DatabaseError:
            raise ClientError("wrong_passphrase") from None
        self._connection.execute("PRAGMA journal_mode = WAL")
        self._connection.execute("PRAGMA secure_delete = ON")
        self._connection.execute("PRAGMA foreign_keys = ON")

    def _migrate(self) -> None:
        known = migrations()
        if self._connection.execute("PRAGMA user_version").fetchone()[0] == len(known):
            return
        with self.transaction() as tx:
            found = tx.row("PRAGMA user_version")
            version = found[0] if found else 0
            if version > len(known):
                raise ClientError("store_too_new", f"version {version}, known {len(known)}")
            for number in range(version, len(known)):
                for statement in statements(known[number]):
                    tx.run(statement)
            tx.run(f"PRAGMA user_version = {len(known)}")


def migrations() -> list[str]:
    """Give the numbered migrations of the package in order."""
    folder = resources.files("aparte.client.store") / "migrations"
    files = sorted((file for file in folder.iterdir() if file.name.endswith(".sql")), key=lambda file: file.name)
    return [file.read_text() for file in files]


def statements(script: str) -> Iterator[str]:
    """Split a script into its statements: `executescript` would commit the transaction around them."""
    pending = ""
    for line in script.splitlines():
        pending += line + "\n"
        if sqlcipher.complete_statement(pending):
            yield pending
            pending = ""
