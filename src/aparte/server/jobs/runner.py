"""Runs jobs and schedules in this process: PgQueuer on a connection of its own, started again whenever it is lost.

A handler that fails is tried again, later each time; one that fails for days is kept as `failed` and said aloud. When
the process stops, running handlers are cancelled and their jobs go back into the queue; when it dies, another process
takes them after half a minute.
"""

import asyncio
import contextlib
import random
import time
from collections.abc import Awaitable, Callable, Sequence
from datetime import timedelta
from typing import Any

import asyncpg
import msgspec
import structlog
from pgqueuer import PgQueuer
from pgqueuer.errors import RetryRequested

from aparte.server.jobs.model import Job, Schedule
from aparte.server.kit.metrics import JOBS

FIRST_RETRY, LONGEST_RETRY = timedelta(seconds=5), timedelta(hours=1)
ATTEMPTS = 60
"""With the pauses above: more than two days."""
AT_ONCE = 10
POLL = timedelta(seconds=30)
"""How late a lost NOTIFY may make a job."""
DEAD = timedelta(seconds=30)
"""A job without a heartbeat for so long belongs to a process that died."""
STOP_SECONDS = 1.5
FIRST_PAUSE, LONGEST_PAUSE = 0.5, 10.0

log = structlog.get_logger(__name__)


class JobGivenUp(Exception):
    """A job has failed as often as it may."""


class Runner:
    """The jobs and schedules of one process."""

    def __init__(self, dsn: str, jobs: Sequence[Job], schedules: Sequence[Schedule]) -> None:
        """Run as the service role of `dsn`."""
        self._dsn = dsn
        self._jobs = jobs
        self._schedules = schedules
        self._running: set[asyncio.Task[Any]] = set()
        self._is_stopping = False

    async def run(self) -> None:
        """Run until cancelled, however often PostgreSQL goes away; a cancelled runner ends within two seconds."""
        pause = FIRST_PAUSE
        while True:
            started = time.monotonic()
            try:
                await self._session()
            except Exception as error:  # noqa: BLE001 - whatever ended it, the queue must run again
                log.warning("jobs_interrupted", error=type(error).__name__)
            if time.monotonic() - started > 60:
                pause = FIRST_PAUSE
            await asyncio.sleep(pause * random.uniform(0.5, 1))  # noqa: S311 - jitter, guards nothing
            pause = min(2 * pause, LONGEST_PAUSE)

    async def _session(self) -> None:
        """Run on one connection until it is lost."""
        connection = await asyncpg.connect(
            self._dsn,
            timeout=5,
            command_timeout=20,
            ssl=False if "sslmode" not in self._dsn else None,
            server_settings={"application_name": "aparte jobs"},
        )
        lost = asyncio.Event()
        connection.add_termination_listener(lambda _: lost.set())
        queue = self._queue(connection)
        self._is_stopping = False
        running = asyncio.create_task(
            queue.run(POLL, AT_ONCE, shutdown_on_listener_failure=True, heartbeat_timeout=DEAD), name="pgqueuer"
        )
        losing = asyncio.create_task(lost.wait(), name="pgqueuer connection")
        try:
            done, _ = await asyncio.wait({running, losing}, return_when=asyncio.FIRST_COMPLETED)
            if running in done:
                running.result()
        finally:
            await self._stop(queue, [running, losing])
            with contextlib.suppress(OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError):
                await connection.close(timeout=0.3)

    async def _stop(self, queue: PgQueuer, tasks: Sequence["asyncio.Task[Any]"]) -> None:
        """Give running jobs back, end what does not end by itself."""
        self._is_stopping = True
        queue.shutdown.set()
        for task in list(self._running):
            task.cancel()
        await asyncio.wait([tasks[0]], timeout=STOP_SECONDS)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _queue(self, connection: Any) -> PgQueuer:
        queue = PgQueuer.from_asyncpg_connection(connection)
        for job in self._jobs:
            queue.entrypoint(job.name, on_failure="hold", accepts_context=False)(self._handler(job))
        for schedule in self._schedules:
            queue.schedule(schedule.name, schedule.cron, accepts_context=False)(self._step(schedule))
        return queue

    def _handler(self, job: Job) -> Callable[[Any], Awaitable[None]]:
        decode = msgspec.json.Decoder(job.payload).decode

        async def handle(row: Any) -> None:
            failure: RetryRequested | JobGivenUp | None = None
            try:
                await self._guarded(job.handler(decode(row.payload)))
                JOBS.labels(job.name, "done").inc()
            except asyncio.CancelledError:
                if not self._is_stopping:
                    raise
                failure = RetryRequested(timedelta(0), "the process stops")
            except Exception as error:  # noqa: BLE001 - whatever it is, the job is tried again
                failure = self._failed(job.name, row.attempts, error)
            if failure is not None:
                raise failure  # outside of `except`: PgQueuer stores the whole chain of an exception, words included

        return handle

    def _step(self, schedule: Schedule) -> Callable[[Any], Awaitable[None]]:
        async def step(_row: Any) -> None:
            try:
                count = await self._guarded(schedule.step())
                JOBS.labels(schedule.name, "done").inc()
                log.info("step_done", step=schedule.name, count=count)
            except asyncio.CancelledError:
                if not self._is_stopping:
                    raise
            except Exception as error:  # one round that fails must not end the calendar
                JOBS.labels(schedule.name, "failed").inc()
                log.exception("step_failed", step=schedule.name, exc_info=error)

        return step

    async def _guarded(self, work: Awaitable[Any]) -> Any:
        """Run in a task of its own, so that a stop reaches the work and not the bookkeeping around it."""
        task = asyncio.ensure_future(work)
        self._running.add(task)
        try:
            return await task
        finally:
            self._running.discard(task)
            task.cancel()

    def _failed(self, name: str, attempts: int, error: Exception) -> RetryRequested | JobGivenUp:
        if attempts + 1 >= ATTEMPTS:
            JOBS.labels(name, "given_up").inc()
            log.error("job_given_up", job=name, attempts=attempts + 1, error=type(error).__name__)
            return JobGivenUp(type(error).__name__)
        JOBS.labels(name, "failed").inc()
        log.warning("job_failed", job=name, attempts=attempts + 1, exc_info=error)
        return RetryRequested(min(FIRST_RETRY * 2 ** min(attempts, 20), LONGEST_RETRY), type(error).__name__)
