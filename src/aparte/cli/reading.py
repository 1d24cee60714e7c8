"""Standard input as messages: the whole of it, or line by line while the lines before are being sent."""

import asyncio
import sys
import threading
from collections.abc import AsyncIterator

from aparte.client import ClientError

MOST_BYTES = 65_536
"""Longest message read; the server's limit is below it."""
AHEAD = 200


def whole_stdin() -> str:
    """Read standard input as one message, without the line end at its end."""
    data = sys.stdin.buffer.read(MOST_BYTES + 1)
    if len(data) > MOST_BYTES:
        raise ClientError("too_large")
    return decoded(data)


async def lines_of_stdin() -> AsyncIterator[str]:
    """Give the lines of standard input that are not blank, as they come. Raises ClientError for one that is too long.

    A thread reads, so that neither a slow writer nor Ctrl-C is waited for; it is at most AHEAD lines ahead.
    """
    loop = asyncio.get_running_loop()
    lines: asyncio.Queue[bytes] = asyncio.Queue(AHEAD)

    def read() -> None:
        while True:
            line = sys.stdin.buffer.readline(MOST_BYTES + 1)
            try:
                asyncio.run_coroutine_threadsafe(lines.put(line), loop).result()
            except (RuntimeError, asyncio.CancelledError):
                return
            if not line:
                return

    threading.Thread(target=read, daemon=True).start()
    while line := await lines.get():
        if len(line) > MOST_BYTES:
            raise ClientError("too_large")
        if text := decoded(line).strip():
            yield text


def decoded(data: bytes) -> str:
    """Read UTF-8. Raises ClientError `invalid`."""
    try:
        return data.decode().removesuffix("\n").removesuffix("\r")
    except UnicodeDecodeError:
        raise ClientError("invalid", "not UTF-8") from None
