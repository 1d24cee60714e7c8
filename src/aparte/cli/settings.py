"""What the options before the command say, for every command."""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Settings:
    """The global options, and the environment they are completed from."""

    profile: str = "default"
    server: str | None = None
    json: bool = False
    environ: Mapping[str, str] = field(default_factory=dict, repr=False)
