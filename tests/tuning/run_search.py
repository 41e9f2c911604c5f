"""Runs one small search as a process of its own: `python run_search.py JSON`; `small_training` must be in its path.

The JSON holds `search`'s arguments, but the recipe; and may hold `kill`, `[trial, epoch]` at whose end the process
kills itself, and `pause`, the name of a file: with it each process of a search over several says that it has started,
and the first worker that ends an epoch makes the file, says that it pauses, and stays there.
"""

import json
import os
import signal
import sys

import small_training as small

from seqzoo.tuning import search, tuners, workers

_PAUSE = """
import os, sys, threading
from seqzoo.tuning import tuners

name = os.environ["KERASTUNER_TUNER_ID"]
print("started", name, os.getpid(), file=sys.stderr, flush=True)
epoch_ended = tuners._RecordingTuner.on_epoch_end

def on_epoch_end(self, trial, model, epoch, logs=None):
    epoch_ended(self, trial, model, epoch, logs)
    try:
        open({file!r}, "x").close()
    except FileExistsError:
        return
    print("paused", name, file=sys.stderr, flush=True)
    threading.Event().wait()

tuners._RecordingTuner.on_epoch_end = on_epoch_end
"""


def main():
    """Searches."""
    signal.signal(signal.SIGINT, signal.default_int_handler)  # Shells have their background jobs ignore it.
    arguments = json.loads(sys.argv[1])
    kill, pause = arguments.pop("kill", None), arguments.pop("pause", None)
    if pause:
        workers._MEMBER = _PAUSE.format(file=pause) + workers._MEMBER
    epoch_ended = tuners._RecordingTuner.on_epoch_end

    def on_epoch_end(self, trial, model, epoch, logs=None):
        epoch_ended(self, trial, model, epoch, logs)
        if [trial.trial_id, epoch] == kill:
            os.kill(os.getpid(), signal.SIGKILL)

    tuners._RecordingTuner.on_epoch_end = on_epoch_end
    try:
        search(small.search_recipe(), **arguments)
    except KeyboardInterrupt:
        sys.exit(130)
    except ChildProcessError as error:
        sys.exit(f"error: {error}")


if __name__ == "__main__":
    main()
