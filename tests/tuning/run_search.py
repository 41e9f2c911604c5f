"""Runs one small search as a process of its own: `python run_search.py JSON`.

The JSON holds `search`'s arguments, but the preset; and `kill`, `[trial, epoch]` at whose end the process kills itself.
"""

import dataclasses
import json
import os
import signal
import sys

# Without XLA and graphs, whose compiling would be most of the time of a few steps. The workers begin so, too.
EAGERLY = """
from seqzoo.models import presets, text_presets
presets.execution = text_presets.execution = lambda steps_per_epoch: {"run_eagerly": True, "jit_compile": False}
"""


def small_preset():
    """A language model that trains in a second."""
    from seqzoo.models import preset

    return dataclasses.replace(
        preset("char_lstm"), cell="simple_rnn", embedding_dim=4, batch_size=16, window=4, steps_per_epoch=1, epochs=3
    )


def main():
    """Searches."""
    signal.signal(signal.SIGINT, signal.default_int_handler)  # Shells have their background jobs ignore it.
    exec(EAGERLY)
    from seqzoo.tuning import search, tuners, workers

    workers._MEMBER = EAGERLY + workers._MEMBER
    arguments = json.loads(sys.argv[1])
    kill = arguments.pop("kill", None)
    epoch_ended = tuners._RecordingTuner.on_epoch_end

    def on_epoch_end(self, trial, model, epoch, logs=None):
        epoch_ended(self, trial, model, epoch, logs)
        if [trial.trial_id, epoch] == kill:
            os.kill(os.getpid(), signal.SIGKILL)

    tuners._RecordingTuner.on_epoch_end = on_epoch_end
    try:
        search(small_preset(), **arguments)
    except KeyboardInterrupt:
        sys.exit(130)
    except ChildProcessError as error:
        sys.exit(f"error: {error}")


if __name__ == "__main__":
    main()
