"""SQL stands in few files, and a slice writes only its own tables.

Without this a table has as many authors as there are slices that found it handy, and no place holds its invariants.
"""

import re

import pytest
from tests.architecture.sources import ROOT, SERVER, Module, modules, offenders, statements

STORES = {"store"}
ALSO = {
    "server/conversations/pages.py": "what people are shown: the reading half of the store of conversations",
    "server/conversations/chain.py": "the part of the store of conversations that is about signed membership",
    "server/conversations/links.py": "the part of the store of conversations that is about invite links and bans",
    "server/contacts/asked.py": "the part of the store of contacts that is about contact requests",
    "server/conversations/profiles.py": "the part of the store of conversations that is about profiles and settings",
    "server/conversations/invites.py": "the part of the store of conversations that is about links into rooms",
    "server/conversations/seats.py": "the part of the store of conversations that is about members and their rights",
    "server/conversations/custom_roles.py": "the part of the store of conversations that is about roles of their own",
    "server/keys/newest.py": "the part of the store of keys that rosters are made of",
    "server/messages/pages.py": "the reading half of the store of messages",
    "server/messages/current.py": "a message as it is now: what every page and list selects",
    "server/messages/lists.py": "the part of the store of messages that is about lists beside the pages",
    "server/messages/pins.py": "the part of the store of messages that is about pins",
    "server/messages/reactions.py": "the part of the store of messages that is about reactions",
    "server/messages/threads.py": "the part of the store of messages that is about threads",
    "server/messages/expiry.py": "the part of the store of messages that is about messages that disappear",
    "server/messages/referenced.py": "the part of the store of messages that is about what a new one refers to",
    "server/messages/sealed.py": "the half of the store of messages that is about sealed entries",
    "server/messages/sender_keys.py": "the part of the store of messages that is about chains and their distributions",
    "server/messages/sync.py": "what moved: the store of messages for sync",
    "server/search/index.py": "the writing half of the store of search",
    "server/search/names.py": "the part of the store of search that is about rooms and people",
    "server/kit/db.py": "the unit of work",
    "server/migrate.py": "the maintenance role",
    "server/preconditions.py": "settings of the database, before anything else is opened",
    "server/health.py": "SELECT 1",
}
OWNERLESS = {"log_generation": "one row written by the migration and by restoring a backup"}
WRITE = re.compile(r"\b(?:INSERT INTO|DELETE FROM|(?<!DO )(?<!KEY )(?<!FOR )UPDATE)\s+(?!OF\b|SET\b|SKIP\b)(\w+)")
READ = re.compile(r"\b(?:(?<!DELETE )FROM|JOIN)\s+(?!LATERAL\b)(\w+)\b(?!\s*\()")
FUNCTION_WRITES = {
    "send_v1": {"messages", "sends", "heads", "members"},
    "send_v4": {
        "messages",
        "sends",
        "heads",
        "members",
        "entries",
        "chains",
        "message_key_sets",
        "sender_chains",
        "distributions",
        "message_links",
        "threads",
        "mentions",
        "message_sources",
        "disappearing_messages",
    },
    "append_v1": {"heads", "entries"},
    "raise_epochs_v1": {"heads", "entries", "epochs"},
    "raise_epochs_v2": {"heads", "entries", "epochs"},
    "append_statements_v1": {"heads", "entries", "epochs"},
    "erase_envelopes_v1": {"message_key_sets"},
    "erase_group_keys_v1": {"message_key_sets", "distributions"},
    "forget_distributions_v1": {"distributions"},
}
"""Tables that functions of the database write for whoever calls them."""
EXCEPTIONS = {
    ("messages", "send_v4", "heads"): "a batch moves its heads in the statement that inserts: one round trip",
    ("messages", "send_v4", "members"): "sending moves the sender's own read mark, in the same statement",
    ("messages", "send_v4", "entries"): "a sealed entry is judged as a sealed message is, by the same function",
    ("messages", "send_v4", "chains"): "an entry continues its device's chain in the statement that inserts it",
}


def tables() -> set[str]:
    """Tables that the migrations make."""
    found: set[str] = set()
    for path in sorted((SERVER / "migrations").glob("*.sql")):
        up = path.read_text().partition("-- migrate:down")[0]
        found |= set(re.findall(r"^CREATE TABLE (\w+)", up, re.MULTILINE))
    return found


TABLES = tables()


def declared(docstring: str) -> tuple[set[str], set[str]]:
    """Read which tables a package says that it owns and reads."""
    text = " ".join(docstring.split())
    owned = re.findall(r"[Oo]wns ((?:`\w+`(?:, | and )?)+)", text)
    read = re.findall(r"[Rr]eads ((?:[^.;`]*`\w+`)+)", text)
    return tuple(set(re.findall(r"`(\w+)`", " ".join(part))) & TABLES for part in (owned, read))  # type: ignore[return-value]


def packages() -> dict[str, tuple[set[str], set[str]]]:
    """What every slice declares."""
    return {path.parent.name: declared(path.read_text()) for path in sorted(SERVER.glob("*/__init__.py"))}


def misplaced(module: Module) -> list[str]:
    """List the SQL of a module that may hold none."""
    is_store = module.slice and module.parts[-1] in STORES
    return [] if is_store or module.name in ALSO else statements(module)


def trespasses(module: Module, owned: set[str], read: set[str]) -> list[str]:
    """List what a store writes or reads without having said that it may."""
    found = []
    for statement in statements(module):
        writes = set(WRITE.findall(statement)) & TABLES
        found += [f"writes {table}" for table in sorted(writes - owned)]
        found += [f"reads {table}" for table in sorted((set(READ.findall(statement)) & TABLES) - owned - read)]
        for function, touched in FUNCTION_WRITES.items():
            if function in statement:
                allowed = {table for slice_, name, table in EXCEPTIONS if (slice_, name) == (module.slice, function)}
                found += [f"writes {table} by {function}" for table in sorted(touched - owned - allowed)]
    return found


def test_sql_stands_in_stores() -> None:
    looked_at = [module for part in ("server", "wire", "e2ee", "cli") for module in modules(part)]
    assert offenders(misplaced, looked_at) == {}


@pytest.mark.parametrize(
    "module", [m for m in modules("server") if m.slice and statements(m) and m.slice != "kit"], ids=lambda m: m.name
)
def test_a_slice_touches_the_tables_it_says(module: Module) -> None:
    owned, read = packages()[module.slice]
    assert trespasses(module, owned, read | set(OWNERLESS)) == []


def test_every_table_has_one_owner() -> None:
    owners = [table for owned, _ in packages().values() for table in owned]
    assert sorted(owners) == sorted(TABLES - set(OWNERLESS))


def test_functions_write_what_this_file_says() -> None:
    text = "\n".join(path.read_text() for path in (ROOT / "src/aparte/server/migrations").glob("*.sql"))
    for function, touched in FUNCTION_WRITES.items():
        body = text.partition(f"CREATE FUNCTION {function}(")[2].partition("END $$")[0]
        assert set(WRITE.findall(body)) & TABLES == touched


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("server/messages/actions/send.py", 'SQL = "SELECT 1 FROM messages"'),
        ("server/edge/http.py", 'await db.execute("DELETE FROM sessions WHERE true")'),
        ("wire/codec.py", 'x = """\n  INSERT INTO audit_entries VALUES (1)"""'),
    ],
)
def test_planted_sql_is_found(name: str, text: str) -> None:
    assert misplaced(Module(name, text))


@pytest.mark.parametrize(
    ("statement", "found"),
    [
        ("UPDATE accounts SET bio = NULL", ["writes accounts"]),
        ("WITH x AS (DELETE FROM members RETURNING 1) SELECT 1 FROM x", ["writes members"]),
        ("INSERT INTO heads (conversation_id) SELECT 1", ["writes heads"]),
        ("SELECT 1 FROM receipts r JOIN devices d USING (device_id)", ["reads devices"]),
        ("SELECT * FROM send_v1($1)", [f"writes {table} by send_v1" for table in ("heads", "members", "messages")]),
        ("SELECT 1 FROM messages FOR NO KEY UPDATE SKIP LOCKED", []),
        ("INSERT INTO receipts VALUES (1) ON CONFLICT DO UPDATE SET at = now()", []),
        ("SELECT count(*) FROM unnest($1::uuid[]) AS c", []),
    ],
)
def test_a_planted_trespass_is_found(statement: str, found: list[str]) -> None:
    module = Module("server/receipts/store.py", f"SQL = {statement!r}")
    assert trespasses(module, {"receipts", "sends"}, {"messages"}) == found


def test_declarations_are_read_as_people_write_them() -> None:
    text = "Owns `messages`, `sends` and `hidden_messages`; reads `entries`, `heads` for x. Invariants: `receipts`."
    assert declared(text) == ({"messages", "sends", "hidden_messages"}, {"entries", "heads"})
    assert declared("Owns `accounts`. Reads no other table.") == ({"accounts"}, set())
