"""Runs `hupan` until its standard input ends: `python -m hupan.cli.sandbox_child sandbox …`.

The input is a pipe that `hupan sandbox run` holds. The pipe closes when that command ends, however
it ends, so no sandbox is left behind.
"""

import os
import runpy
import signal
import sys
import threading


def _stop_with_input() -> None:
    """Wait for the end of the input, then stop this process as `kill` would."""
    while os.read(0, 1):
        pass
    os.kill(os.getpid(), signal.SIGTERM)


if __name__ == "__main__":
    threading.Thread(target=_stop_with_input, daemon=True).start()
    sys.argv[0] = "hupan"
    runpy.run_module("hupan", run_name="__main__", alter_sys=True)
