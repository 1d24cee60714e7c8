"""What the command line itself says, in the language of the environment. The words are the catalogue's."""

import os
from typing import Any

from aparte.catalogue import language_of, text


def phrase(key: str, /, **values: Any) -> str:
    """Say it in the language of the environment."""
    return text("phrases", key, language_of(os.environ), **values)
