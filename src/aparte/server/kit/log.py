"""Log lines: one JSON object each on standard error, or something readable on a terminal.

Events are constant words, values are ids and numbers. Whatever a careless line names like a secret or like content is
struck out before it is rendered, at any depth. Exceptions are shown by type and place and without their message, which
may quote what people wrote (PostgreSQL's does).
"""

import logging
import re
import sys
import traceback
from collections.abc import Mapping
from pathlib import PurePath
from typing import Any, TextIO

import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

STRUCK = "[redacted]"
DEPTH = 6
"""Deeper values are struck out whole."""
PLACES = 12
"""Innermost places of a traceback that are shown."""
TEXT = 2_000
"""Longer strings are cut: a log line is no place for bodies."""

_PRIVATE = re.compile(
    r"token|passw|passphrase|secret|authori[sz]ation|cookie|credential|private|api_?key|dsn|\burl\b|_url\b"
    r"|content|text|body|bodies|payload|frame_data|plaintext|sealed|email|e_mail|phone|display_name|nickname"
    r"|user_?name|\bbio\b|\breason\b|\btopic\b|\bdescription\b|query_string",
    re.IGNORECASE,
)
_PUBLIC = frozenset({"content_type", "content_length"})
# Addresses of stores carry passwords, and libraries quote them in their exceptions.
_PASSWORD_IN_ADDRESS = re.compile(r"(?<=://)([^/\s:@]*):[^/\s@]+@")


def configure(level: str = "info", stream: TextIO | None = None) -> None:
    """Set up logging for this process: ours and, through the same processors, that of libraries."""
    out = stream or sys.stderr
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.ExtraAdder(),
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        describe_exception,
        redact,
    ]
    renderer: Processor = structlog.dev.ConsoleRenderer() if out.isatty() else structlog.processors.JSONRenderer()
    structlog.configure(
        processors=[structlog.stdlib.filter_by_level, *shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        wrapper_class=structlog.stdlib.BoundLogger,
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(out)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    # Libraries say at these levels what we say ourselves, or quote what they send.
    for chatty in ("asyncio", "aiohttp", "redis", "push_response", "pgqueuer", "asyncpg"):
        logging.getLogger(chatty).setLevel(max(logging.WARNING, root.level))


def redact(_logger: WrappedLogger, _method: str, event_dict: EventDict) -> EventDict:
    """Strike out values whose names say that they are secret, content, or about a person."""
    for key, value in event_dict.items():
        if key == "event":
            event_dict[key] = _clean(None, value, 0)
        elif not key.startswith("_"):
            event_dict[key] = _clean(key, value, DEPTH)
    return event_dict


def describe_exception(_logger: WrappedLogger, _method: str, event_dict: EventDict) -> EventDict:
    """Replace an exception by its type, where it came from and what caused it."""
    info = event_dict.pop("exc_info", None)
    if info is True:
        info = sys.exc_info()
    error = info[1] if isinstance(info, tuple) else info
    if isinstance(error, BaseException):
        event_dict["exception"] = [_described(one) for one in _chain(error)]
    return event_dict


def _chain(error: BaseException) -> list[BaseException]:
    chain = [error]
    while len(chain) < DEPTH:
        cause = chain[-1].__cause__ or (None if chain[-1].__suppress_context__ else chain[-1].__context__)
        if cause is None or cause in chain:
            break
        chain.append(cause)
    return chain


def _described(error: BaseException) -> dict[str, Any]:
    frames = traceback.extract_tb(error.__traceback__)[-PLACES:]
    said = {"errno": getattr(error, "errno", None), "sqlstate": getattr(error, "sqlstate", None)}
    return {
        "type": f"{type(error).__module__}.{type(error).__qualname__}",
        "where": [f"{PurePath(frame.filename).name}:{frame.lineno} {frame.name}" for frame in frames],
        **{name: value for name, value in said.items() if value is not None},
    }


def _clean(key: object, value: Any, depth: int) -> Any:
    if isinstance(key, str) and key not in _PUBLIC and _PRIVATE.search(key):
        return STRUCK
    if isinstance(value, Mapping):
        return STRUCK if depth == 0 else {str(k): _clean(k, v, depth - 1) for k, v in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return STRUCK if depth == 0 else [_clean(None, item, depth - 1) for item in value]
    if isinstance(value, bytes | bytearray | memoryview):
        return f"[{len(value)} bytes]"
    if value is None or isinstance(value, bool | int | float):
        return value
    text = _PASSWORD_IN_ADDRESS.sub(r"\1:…@", str(value))
    return text if len(text) <= TEXT else f"{text[:TEXT]}…"
