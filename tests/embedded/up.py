"""`aparte …` with the small worker of these tests in place of the server."""

import functools
import sys
from pathlib import Path

from aparte.cli import main
from aparte.embedded import supervisor

WORKER = (sys.executable, str(Path(__file__).with_name("worker.py")))

if __name__ == "__main__":
    supervisor.Service = functools.partial(supervisor.Service, command=WORKER)  # type: ignore[assignment,misc]  # one field set
    main.run()
