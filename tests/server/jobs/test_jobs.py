"""Jobs happen: exactly those whose transaction committed, again when they fail, and whoever dies meanwhile."""

import asyncio
import contextlib
import signal
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from datetime import timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest
from tests.support.database import Cluster
from tests.support.valkey import until

from aparte.embedded import folder, postgres
from aparte.embedded.launch import start as launch
from aparte.server import migrate
from aparte.server.jobs import runner as module
from aparte.server.jobs.actions import enqueue
from aparte.server.jobs.model import Job, Schedule
from aparte.server.jobs.runner import Runner
from aparte.server.kit.db import Database


class Letter(msgspec.Struct):
    """A payload."""

    to: str
    number: int = 0


Start = Callable[..., Any]


@pytest.fixture
def dsn(cluster: Cluster, database_name: str) -> str:
    return cluster.dsn(database_name, service=True)


@pytest.fixture
async def start(dsn: str) -> AsyncIterator[Start]:
    """Run jobs of the name `letter` with a handler, and schedules; gives the task that runs them."""
    async with AsyncExitStack() as stack:

        async def one(
            handler: Callable[[Letter], Awaitable[None]] | None = None, *schedules: Schedule
        ) -> "asyncio.Task[None]":
            jobs = [Job("letter", Letter, handler)] if handler else []
            task = asyncio.create_task(Runner(dsn, jobs, schedules).run())
            stack.push_async_callback(stopped, task)
            return task

        yield one


async def stopped(task: "asyncio.Task[None]") -> float:
    """Stop a runner; gives the seconds it took."""
    started = time.monotonic()
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task
    return time.monotonic() - started


async def queued(admin: Any) -> int:
    count: int = await admin.fetchval("SELECT count(*) FROM pgqueuer")
    return count


async def test_a_job_runs_with_its_payload_once_its_transaction_has_committed(
    start: Start, db: Database, admin: Any
) -> None:
    read: list[Letter] = []

    async def handle(letter: Letter) -> None:
        read.append(letter)

    await start(handle)
    async with db.transaction() as tx:
        assert await enqueue(tx, "letter", Letter("Zoë 👋", 2))
        await asyncio.sleep(0.5)
        assert read == []
    await until(lambda: read == [Letter("Zoë 👋", 2)])

    async def is_done() -> bool:
        return await queued(admin) == 0

    await until(is_done)


async def test_a_rolled_back_transaction_leaves_no_job(db: Database, admin: Any) -> None:
    with contextlib.suppress(ZeroDivisionError):
        async with db.transaction() as tx:
            await enqueue(tx, "letter", Letter("nobody"))
            raise ZeroDivisionError
    assert await queued(admin) == 0


async def test_while_a_job_with_a_key_waits_there_is_no_second(db: Database, admin: Any) -> None:
    async with db.transaction() as tx:
        assert await enqueue(tx, "letter", Letter("a"), key="one")
        assert not await enqueue(tx, "letter", Letter("b"), key="one")
        assert await enqueue(tx, "letter", Letter("c"), key="other")
        assert await enqueue(tx, "letter", Letter("d"))
    assert await queued(admin) == 3


async def test_a_job_waits_until_its_time(start: Start, db: Database) -> None:
    ran: list[float] = []

    async def handle(_: Letter) -> None:
        ran.append(time.monotonic())

    await start(handle)
    began = time.monotonic()
    async with db.transaction() as tx:
        await enqueue(tx, "letter", Letter("later"), after=timedelta(seconds=2))
    await until(lambda: len(ran) == 1)
    assert ran[0] - began >= 1.9


async def test_many_processes_share_the_jobs_and_run_each_once(start: Start, db: Database, admin: Any) -> None:
    ran: list[int] = []

    async def handle(letter: Letter) -> None:
        await asyncio.sleep(0.01)
        ran.append(letter.number)

    for _ in range(3):
        await start(handle)
    async with db.transaction() as tx:
        for number in range(60):
            await enqueue(tx, "letter", Letter("all", number))

    async def is_done() -> bool:
        return await queued(admin) == 0

    await until(is_done, 20)
    assert sorted(ran) == list(range(60))


async def test_a_failing_job_is_tried_again_and_its_words_are_kept_nowhere(
    start: Start, db: Database, admin: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "FIRST_RETRY", timedelta(milliseconds=100))
    tried: list[int] = []

    async def handle(letter: Letter) -> None:
        tried.append(letter.number)
        if len(tried) < 3:
            raise ValueError("what somebody wrote")

    await start(handle)
    async with db.transaction() as tx:
        await enqueue(tx, "letter", Letter("hard"))

    async def is_done() -> bool:
        return len(tried) == 3 and await queued(admin) == 0

    await until(is_done, 20)
    kept = await admin.fetch("SELECT traceback::text AS words FROM pgqueuer_log WHERE traceback IS NOT NULL")
    assert kept
    assert not any("wrote" in row["words"] for row in kept)


async def test_a_hopeless_job_is_given_up_and_kept(
    start: Start, db: Database, admin: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "FIRST_RETRY", timedelta(0))
    monkeypatch.setattr(module, "ATTEMPTS", 3)
    tried: list[int] = []

    async def handle(letter: Letter) -> None:
        tried.append(letter.number)
        raise ValueError("what somebody wrote")

    await start(handle)
    async with db.transaction() as tx:
        await enqueue(tx, "letter", Letter("hopeless"))

    async def is_kept() -> bool:
        return await admin.fetchval("SELECT status::text FROM pgqueuer") == "failed"

    await until(is_kept, 20)
    assert len(tried) == 3
    assert not await admin.fetchval("SELECT bool_or(traceback::text LIKE '%wrote%') FROM pgqueuer_log")


async def test_stopping_takes_less_than_two_seconds_and_gives_running_jobs_back(
    start: Start, db: Database, admin: Any
) -> None:
    began: list[str] = []

    async def hang(letter: Letter) -> None:
        began.append(letter.to)
        await asyncio.sleep(3600)

    first = await start(hang)
    async with db.transaction() as tx:
        await enqueue(tx, "letter", Letter("slow"))
    await until(lambda: began == ["slow"])
    assert await stopped(first) < 2
    assert await admin.fetchval("SELECT status::text FROM pgqueuer") == "queued"
    await start(hang)
    await until(lambda: began == ["slow", "slow"])


async def test_a_job_of_a_process_that_died_is_run_by_another(
    start: Start, db: Database, admin: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "DEAD", timedelta(seconds=1))
    monkeypatch.setattr(module, "POLL", timedelta(seconds=1))
    async with db.transaction() as tx:
        await enqueue(tx, "letter", Letter("orphan"))
    await admin.execute(
        "UPDATE pgqueuer SET status = 'picked', queue_manager_id = gen_random_uuid(),"
        " heartbeat = now() - interval '9 s'"
    )
    ran: list[str] = []

    async def handle(letter: Letter) -> None:
        ran.append(letter.to)

    await start(handle)
    await until(lambda: ran == ["orphan"], 20)


async def test_a_runner_survives_the_loss_of_its_connection(start: Start, db: Database, admin: Any) -> None:
    ran: list[int] = []

    async def handle(letter: Letter) -> None:
        ran.append(letter.number)

    runner = await start(handle)
    for number in range(3):
        await until(lambda: connected(admin))
        async with db.transaction() as tx:
            await enqueue(tx, "letter", Letter("again", number))
        await until(lambda number=number: number in ran)  # type: ignore[misc]  # a loop's value
        await admin.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND application_name = 'aparte jobs'"
        )
    assert not runner.done()


async def connected(admin: Any) -> bool:
    count = await admin.fetchval(
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'aparte jobs'"
    )
    return bool(count)


async def test_without_postgresql_a_runner_waits_and_stops_when_told(dsn: str) -> None:
    runner = asyncio.create_task(Runner(dsn.replace("/test_", "/nothing_"), [], []).run())
    await asyncio.sleep(1)
    assert not runner.done()
    assert await stopped(runner) < 2


async def test_a_due_schedule_is_run_once_by_many_processes_and_again_although_it_failed(
    start: Start, admin: Any
) -> None:
    rounds: list[int] = []

    async def step() -> int:
        rounds.append(1)
        await asyncio.sleep(0.1)
        if len(rounds) == 1:
            raise ValueError
        return 5

    row = Schedule("tidy", "0 0 1 1 *", step)
    for _ in range(3):
        await start(None, row)

    async def is_known() -> bool:
        return bool(await admin.fetchval("SELECT count(*) FROM pgqueuer_schedules WHERE status = 'queued'"))

    await until(is_known)
    assert rounds == []
    for due in (1, 2):
        await admin.execute("UPDATE pgqueuer_schedules SET next_run = now() - interval '1 s'")
        runner = await start(None, row)  # looks at once; the others when the calendar says so
        await until(lambda due=due: len(rounds) == due, 20)  # type: ignore[misc]  # a loop's value
        await until(is_known)
        await stopped(runner)
    assert len(rounds) == 2


async def test_stopping_in_the_middle_of_a_step_is_quick_and_frees_the_schedule(start: Start, admin: Any) -> None:
    began: list[int] = []

    async def hang() -> int:
        began.append(1)
        await asyncio.sleep(3600)
        return 0

    row = Schedule("tidy", "0 0 1 1 *", hang)
    first = await start(None, row)

    async def is_known() -> bool:
        return bool(await admin.fetchval("SELECT count(*) FROM pgqueuer_schedules WHERE status = 'queued'"))

    await until(is_known)
    await stopped(first)
    await admin.execute("UPDATE pgqueuer_schedules SET next_run = now() - interval '1 s'")
    second = await start(None, row)
    await until(lambda: began == [1])
    assert await stopped(second) < 2
    assert await is_known()


async def test_jobs_go_on_after_postgresql_was_killed(tmp_path: Path) -> None:
    ran: list[int] = []

    async def handle(letter: Letter) -> None:
        ran.append(letter.number)

    with folder.opened(tmp_path / "data") as data:
        postgres.prepare(data)
        where = postgres.address(data)
        process = launch(postgres.program(data, where.port))
        db = Database(where.admin_dsn)
        try:
            await postgres.await_ready(where, lambda: True)
            await migrate.apply(where.admin_dsn)
            await db.open()
            runner = asyncio.create_task(Runner(where.admin_dsn, [Job("letter", Letter, handle)], []).run())
            for number in range(2):
                async with db.transaction() as tx:
                    await enqueue(tx, "letter", Letter("again", number))
                await until(lambda number=number: number in ran, 30)  # type: ignore[misc]  # a loop's value
                process.kill()
                process.wait()
                postgres.clear_after_crash(data)
                await asyncio.sleep(2)
                assert not runner.done()
                process = launch(postgres.program(data, where.port))
                await postgres.await_ready(where, lambda: True)
            assert await stopped(runner) < 2
        finally:
            await db.close()
            process.send_signal(signal.SIGINT)
            process.wait(30)
