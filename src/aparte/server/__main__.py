"""One worker process: `python -m aparte.server`, configured by its environment alone (`server.config`)."""

import asyncio
import os
import sys

import uvloop

from aparte.server.app import serve
from aparte.server.config import Config, ConfigurationRefused
from aparte.server.kit.log import configure


def main() -> int:
    """Run until told to stop. Exits with 1 and one clear sentence when it must not start."""
    try:
        config = Config.from_environment(os.environ)
        configure(config.log_level)
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(serve(config))
    except ConfigurationRefused as refusal:
        sys.stderr.write(f"aparte: {refusal}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
