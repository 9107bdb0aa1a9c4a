"""Run `hupan` until its standard input ends: `python -m pytest_hupan.process sandbox …`.

The input is a pipe of the test run. It ends with the run, however that ends, so no sandbox is left
behind.
"""

import os
import runpy
import signal
import sys
import threading


def stop_with_input() -> None:
    """Wait for the end of the input, then stop this process as Ctrl-C would."""
    while os.read(0, 1):
        pass
    os.kill(os.getpid(), signal.SIGTERM)


if __name__ == "__main__":
    threading.Thread(target=stop_with_input, daemon=True).start()
    sys.argv[0] = "hupan"
    runpy.run_module("hupan", run_name="__main__", alter_sys=True)
