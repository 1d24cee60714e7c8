"""The one-time token of the setup link: a file that whoever started the server can read."""

import hashlib
import hmac
from pathlib import Path

LONGEST = 512


def is_right(file: Path | None, given: str) -> bool:
    """Compare a token with the file's, in constant time. Without a file no token is right."""
    try:
        token = file.read_text("utf-8").strip()[:LONGEST] if file else ""
    except (OSError, UnicodeDecodeError):
        token = ""
    same = hmac.compare_digest(hashlib.sha256(token.encode()).digest(), hashlib.sha256(given.encode()).digest())
    return same and len(token) > 0


def use_up(file: Path | None) -> None:
    """Remove the file: the link leads nowhere any more."""
    if file is not None:
        file.unlink(missing_ok=True)
