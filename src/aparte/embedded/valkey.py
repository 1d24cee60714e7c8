"""The embedded Valkey: hints that may be lost, so it writes nothing to disk and its loss loses nothing."""

import asyncio
import os
import time
from contextlib import closing

from aparte.embedded.binaries import valkey_server
from aparte.embedded.folder import DataFolder
from aparte.embedded.launch import Program, service_identity

PASSWORD = "valkey-password"  # noqa: S105 - the name of the secret's file

# volatile-ttl: when memory is short, what would expire next goes first; entries without a lifetime (locks, live
# sessions' indexes) are never dropped behind the back of those who count on them.
_CONFIGURATION = """\
bind 127.0.0.1
port {port}
dir .
save ""
appendonly no
requirepass {password}
maxmemory 256mb
maxmemory-policy volatile-ttl
always-show-logo no
"""


def url(data: DataFolder, port: int) -> str:
    """Where the server finds it."""
    return f"redis://:{data.secret(PASSWORD)}@127.0.0.1:{port}/0"


def program(data: DataFolder, port: int) -> Program:
    """Valkey itself. It reads its configuration, password included, from standard input."""
    identity = service_identity(data.valkey)
    data.valkey.mkdir(mode=0o700, exist_ok=True)
    if identity:
        os.chown(data.valkey, identity.uid, identity.gid)
    configuration = _CONFIGURATION.format(port=port, password=data.secret(PASSWORD))
    return Program(
        name="valkey",
        arguments=(str(valkey_server(identity)), "-"),
        environment={"PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8"},
        folder=data.valkey,
        identity=identity,
        input=configuration.encode(),
        log=data.log("valkey"),
    )


async def answers(port: int, seconds: float) -> bool:
    """Whether something speaks Valkey's protocol on `port` before `seconds` have passed."""
    give_up = time.monotonic() + seconds
    while time.monotonic() < give_up:
        try:
            async with asyncio.timeout(1):
                reader, writer = await asyncio.open_connection("127.0.0.1", port)
                with closing(writer):
                    writer.write(b"PING\r\n")
                    # Without the password the answer is an error, which says as well that it listens.
                    if (await reader.readline()).startswith((b"-NOAUTH", b"+PONG")):
                        return True
        except OSError:  # nobody there yet; a time-out is one as well
            await asyncio.sleep(0.02)
    return False
