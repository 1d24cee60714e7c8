"""`aparte bench room|direct|group|idle|history|catchup|search|scale|e2ee`: measure a real server and its machine.

The packages that measure are imported inside the commands: whoever installs only the client may lack some of them.
"""

# ruff: noqa: PLC0415 - see above
# ruff: noqa: PLR0913 - typer reads the options of a command off its parameters

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from aparte.cli.phrases import phrase

if TYPE_CHECKING:
    from aparte.bench.report import Section
    from aparte.bench.server import Server, Wanted

Url = Annotated[str, typer.Option("--server")]
Seconds = Annotated[float, typer.Option(min=0.1)]
AsJson = Annotated[bool, typer.Option("--json")]
Workers = Annotated[int, typer.Option(min=1, max=256)]
Folder = Annotated[Path | None, typer.Option()]
SlowFlush = Annotated[float, typer.Option(min=0, max=100)]
MessagePack = Annotated[bool, typer.Option("--msgpack")]

measurements = typer.Typer(no_args_is_help=True)


def register(app: typer.Typer) -> None:
    """Add `bench` to the command line."""
    app.add_typer(measurements, name="bench")


@measurements.command()
def room(
    *,
    server: Url = "",
    seconds: Seconds = 10,
    as_json: AsJson = False,
    workers: Workers = 1,
    folder: Folder = None,
    slow_flush: SlowFlush = 0,
    msgpack: MessagePack = False,
    devices: Annotated[int, typer.Option(min=2, max=4096)] = 200,
    members: Annotated[int, typer.Option(min=2, max=1000)] = 2,
    memberships: Annotated[int, typer.Option(min=0, max=100)] = 0,
    senders: Annotated[int, typer.Option(min=0)] = 0,
    window: Annotated[int, typer.Option(min=1, max=1000)] = 1,
    rate: Annotated[float, typer.Option(min=0)] = 0,
    floor: Annotated[float, typer.Option(min=0)] = 3,
) -> None:
    """Measure messages and deliveries a second, and how long they take."""
    from aparte.bench import room as measured
    from aparte.bench.load import Drive

    drive = Drive(seconds=seconds, warm_up=min(2.0, seconds), window=window, rate=rate, senders=senders)
    options = measured.Options(
        devices=devices,
        members=members,
        memberships=memberships,
        drive=drive,
        encoding="msgpack" if msgpack else "json",
        floor_seconds=floor,
    )
    _run("room", lambda at: measured.run(at, options), _wanted(server, workers, folder, slow_flush), as_json=as_json)


@measurements.command()
def direct(
    *,
    server: Url = "",
    seconds: Seconds = 10,
    as_json: AsJson = False,
    workers: Workers = 1,
    folder: Folder = None,
    slow_flush: SlowFlush = 0,
    devices: Annotated[int, typer.Option(min=2, max=4096)] = 200,
    rate: Annotated[float, typer.Option(min=0)] = 0,
) -> None:
    """Measure sealed messages a second between two people, and how long they take."""
    from aparte.bench import direct as measured
    from aparte.bench.load import Drive

    options = measured.Options(devices=devices, drive=Drive(seconds=seconds, warm_up=min(2.0, seconds), rate=rate))
    wanted = _wanted(server, workers, folder, slow_flush)
    _run("direct", lambda at: measured.run(at, options), wanted, as_json=as_json)


@measurements.command()
def group(
    *,
    server: Url = "",
    seconds: Seconds = 10,
    as_json: AsJson = False,
    workers: Workers = 1,
    folder: Folder = None,
    slow_flush: SlowFlush = 0,
    members: Annotated[int, typer.Option(min=2, max=500)] = 100,
    others: Annotated[int, typer.Option(min=0, max=499)] = 100,
    rate: Annotated[float, typer.Option(min=0)] = 0,
) -> None:
    """Measure sealed messages a second in one group, and what it takes to speak to many devices."""
    from aparte.bench import group as measured
    from aparte.bench.load import Drive

    drive = Drive(seconds=seconds, warm_up=min(2.0, seconds), rate=rate)
    options = measured.Options(members=members, others=others, drive=drive)
    wanted = _wanted(server, workers, folder, slow_flush)
    _run("group", lambda at: measured.run(at, options), wanted, as_json=as_json)


@measurements.command()
def idle(
    *,
    server: Url = "",
    seconds: Seconds = 25,
    as_json: AsJson = False,
    workers: Workers = 1,
    connections: Annotated[int, typer.Option(min=1)] = 10_000,
    first: Annotated[int, typer.Option(min=1)] = 1_000,
) -> None:
    """Measure the memory of connections that say nothing."""
    from aparte.bench import idle as measured

    options = measured.Options(connections=connections, first=first, seconds=seconds)
    _run("idle", lambda at: measured.run(at, options), _wanted(server, workers), as_json=as_json)


@measurements.command()
def history(
    *,
    server: Url = "",
    seconds: Seconds = 5,
    as_json: AsJson = False,
    workers: Workers = 1,
    messages: Annotated[int, typer.Option(min=200)] = 20_000,
    connections: Annotated[int, typer.Option(min=1, max=1000)] = 8,
) -> None:
    """Measure pages of 50 messages a second."""
    from aparte.bench import history as measured

    options = measured.Options(messages=messages, connections=connections, seconds=seconds)
    _run("history", lambda at: measured.run(at, options), _wanted(server, workers), as_json=as_json)


@measurements.command()
def catchup(
    *,
    server: Url = "",
    as_json: AsJson = False,
    workers: Workers = 1,
    messages: Annotated[int, typer.Option(min=1)] = 100_000,
    msgpack: MessagePack = False,
) -> None:
    """Measure how fast a device catches up that was away."""
    from aparte.bench import catchup as measured

    options = measured.Options(messages=messages, encoding="msgpack" if msgpack else "json")
    _run("catchup", lambda at: measured.run(at, options), _wanted(server, workers), as_json=as_json)


@measurements.command()
def search(
    *,
    as_json: AsJson = False,
    workers: Workers = 1,
    folder: Folder = None,
    messages: Annotated[int, typer.Option(min=1_000)] = 100_000,
    times: Annotated[int, typer.Option(min=1)] = 100,
) -> None:
    """Measure searches in one big room, for rare and frequent words."""
    from aparte.bench import search as measured

    options = measured.Options(messages=messages, times=times)
    _run("search", lambda at: measured.run(at, options), _wanted("", workers, folder), as_json=as_json)


@measurements.command()
def scale(
    *,
    as_json: AsJson = False,
    folder: Folder = None,
    members: Annotated[int, typer.Option(min=10, max=10_000)] = 10_000,
    messages: Annotated[int, typer.Option(min=1_000)] = 1_000_000,
    rooms: Annotated[int, typer.Option(min=100)] = 1_000,
    times: Annotated[int, typer.Option(min=1)] = 200,
    check: Annotated[bool, typer.Option("--check")] = False,
) -> None:
    """Measure whether it takes longer where there is more: members, messages, rooms."""
    from aparte.bench import scale as measured

    options = measured.Options(members=members, messages=messages, rooms=rooms, times=times)
    wanted = _wanted("", 1, folder)
    is_kept = _run("scale", lambda at: measured.run(at, options), wanted, as_json=as_json)
    if check and not is_kept:
        raise typer.Exit(1)


@measurements.command()
def e2ee(rounds: Annotated[int, typer.Option(min=1)] = 500) -> None:
    """Measure the cryptography alone, without a server."""
    from aparte.bench import e2ee as measured

    measured.run(rounds)


def _wanted(url: str, workers: int, folder: Path | None = None, slow_flush: float = 0) -> "Wanted":
    from aparte.bench.server import Wanted

    if url and (workers != 1 or folder or slow_flush):
        _refuse(phrase("own_server_only"))
    return Wanted(url=url, workers=workers, folder=folder, slow_flush_ms=slow_flush)


def _run(
    what: str, measure: "Callable[[Server], Awaitable[list[Section]]]", wanted: "Wanted", *, as_json: bool
) -> bool:
    """Measure and print; tells whether all is as it should be. What stops it is one sentence and exit code 1."""
    try:
        import uvloop

        from aparte.bench import machine, report
        from aparte.bench import server as servers
        from aparte.bench.websocket import UnexpectedAnswer
    except ModuleNotFoundError as error:
        _refuse(phrase("package_missing", name=error.name))

    async def work() -> report.Report:
        async with servers.serving(wanted) as server:
            facts = await machine.facts(server)
            return report.written(what, facts, await measure(server))

    try:
        found = uvloop.run(work())
        report.show(found, as_json=as_json)
    except (UnexpectedAnswer, OSError, TimeoutError, ValueError) as error:
        _refuse(phrase("not_measured", why=error or type(error).__name__))
    return found.is_kept


def _refuse(sentence: str) -> NoReturn:
    typer.echo(sentence, err=True)
    raise typer.Exit(1)
