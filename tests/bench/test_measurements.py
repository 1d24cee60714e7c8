"""Each measurement runs to its end against a real server, and its counts agree with each other and with PostgreSQL."""

import math
from dataclasses import replace

import pytest

from aparte.bench import catchup, direct, history, idle, machine, room, store
from aparte.bench.load import Drive
from aparte.bench.processes import Groups
from aparte.bench.report import Section
from aparte.bench.server import Server
from aparte.wire.codec import Encoding
from tests.support.server import Aparte

DRIVE = Drive(seconds=1.0, warm_up=0.3, window=2)


@pytest.fixture(scope="module")
def measured(server: Aparte) -> Server:
    """The server of the run, as one that the measurement may look into."""
    lines = (server.data / "secrets" / "environment").read_text().splitlines()
    dsn = next(line for line in lines if "DATABASE_ADMIN_URL" in line).partition("=")[2].strip("'\"")
    return Server(server.url, Groups.below(server.pid), dsn, server.data)


async def messages_in(measured: Server) -> int:
    """How many messages PostgreSQL holds."""
    connection = await store.connect(measured.admin_dsn)
    count: int = await connection.fetchval("SELECT count(*) FROM messages")
    await connection.close()
    return count


def are_numbers(sections: list[Section]) -> bool:
    """Whether there are figures and each is a finite number, named once."""
    for section in sections:
        names = [figure.name for figure in section.figures]
        assert len(names) == len(set(names))
        assert all(math.isfinite(figure.value) for figure in section.figures)
    return bool(sections)


@pytest.mark.parametrize("encoding", ["json", "msgpack"])
async def test_pairs_count_what_postgresql_holds(measured: Server, encoding: Encoding) -> None:
    before = await messages_in(measured)
    options = room.Options(devices=6, drive=DRIVE, encoding=encoding, floor_seconds=0)
    [section] = await room.run(measured, options)
    assert are_numbers([section])
    assert section.figure("undelivered") == 0
    assert section.figure("refused_or_closed") == 0
    assert section.figure("messages_in_all") == await messages_in(measured) - before
    assert section.figure("messages_per_second") > 0
    assert section.figure("delivery_p50") <= section.figure("delivery_p99") <= section.figure("delivery_max")
    assert section.figure("server_memory") > 1
    assert section.figure("postgres_memory") > 1
    assert section.figure("wal_bytes_per_message") > 400


async def test_direct_conversations_count_what_postgresql_holds(measured: Server) -> None:
    before = await messages_in(measured)
    [section] = await direct.run(measured, direct.Options(devices=6, drive=replace(DRIVE, window=1)))
    assert are_numbers([section])
    assert section.figure("undelivered") == 0
    assert section.figure("refused_or_closed") == 0
    assert section.figure("messages_in_all") == await messages_in(measured) - before
    assert section.figure("messages_per_second") > 0
    assert section.figure("table_message_key_sets_bytes_per_message") > 300


async def test_a_room_of_many_counts_every_delivery_and_is_compared_with_the_floor(measured: Server) -> None:
    before = await messages_in(measured)
    drive = replace(DRIVE, senders=3, window=1)
    options = room.Options(devices=8, members=8, memberships=2, drive=drive, floor_seconds=0.5)
    [section, floor] = await room.run(measured, options)
    assert are_numbers([section, floor])
    assert section.figure("undelivered") == 0
    assert section.figure("messages_in_all") == await messages_in(measured) - before
    assert floor.figure("undelivered") == 0
    assert floor.figure("measured_part_of_floor") > 0


async def test_an_open_loop_stores_what_was_due(measured: Server) -> None:
    drive = replace(DRIVE, rate=40.0)
    [section] = await room.run(measured, room.Options(devices=4, drive=drive, floor_seconds=0))
    assert section.figure("undelivered") == 0
    assert section.figure("messages_in_all") >= 39 * (DRIVE.seconds + DRIVE.warm_up)


async def test_idle_connections_are_all_there_in_the_end(measured: Server) -> None:
    options = idle.Options(connections=30, first=10, steps=2, seconds=0.5)
    [section] = await idle.run(measured, options)
    assert are_numbers([section])
    assert section.figure("connections") == section.figure("still_open_in_the_end") == 30
    assert section.figure("server_memory_at_10") > 1


async def test_pages_are_the_ones_that_were_asked_for(measured: Server) -> None:
    [newest, deep] = await history.run(measured, history.Options(messages=400, connections=2, seconds=0.5))
    assert are_numbers([newest, deep])
    for section in (newest, deep):
        assert section.figure("pages_in_all") > 0
        assert section.figure("bytes_per_page") > 50 * 400


@pytest.mark.parametrize("encoding", ["json", "msgpack"])
async def test_a_device_catches_up_on_everything(measured: Server, encoding: Encoding) -> None:
    [section] = await catchup.run(measured, catchup.Options(messages=1_200, encoding=encoding))
    assert are_numbers([section])
    assert section.figure("entries_in_all") >= 1_200
    assert section.figure("bytes_per_entry") > 400


async def test_the_report_names_the_machine_and_durability(measured: Server) -> None:
    facts = await machine.facts(measured)
    assert "fsync on" in facts["postgresql"]
    assert "synchronous_commit on" in facts["postgresql"]
    assert "APARTE_ARGON2_MEMORY_KIB=8" in facts["server"]
    assert "1 worker" in facts["server"]


async def test_of_a_foreign_server_only_what_is_seen_from_outside_is_told(measured: Server) -> None:
    foreign = Server(measured.url)
    [section] = await room.run(foreign, room.Options(devices=2, drive=DRIVE, floor_seconds=0))
    assert section.figure("undelivered") == 0
    names = {figure.name for figure in section.figures}
    assert "cpu_generator" in names
    assert not {"server_memory", "cpu_server", "database_bytes_per_message"} & names
    assert "not known" in (await machine.facts(foreign))["server"]
