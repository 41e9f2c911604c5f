"""The standard streams of a command: closed ones, those of a notebook, readers that have gone, and notes."""

import contextlib
import os
import select
import sys
import warnings

from seqzoo.reports import printable


def prepare_streams():
    """Makes the standard streams usable: what is written to a closed one is lost, and all is written as UTF-8.

    Streams that cannot be set, such as those of a notebook, stay as they are. A closed standard input stays `None`.
    """
    for descriptor in range(3):
        try:
            os.fstat(descriptor)
        except OSError:  # Else the next file that is opened would get it, and TensorFlow's lines with it.
            os.set_inheritable(os.open(os.devnull, os.O_RDWR), True)
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None or getattr(stream, "closed", False):
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: SIM115, for the rest of the process
        elif hasattr(stream, "reconfigure"):
            stream.reconfigure(encoding="utf-8", errors="backslashreplace")


def status_without_reader():
    """The exit status after a `BrokenPipeError`; `None` if no standard stream is the reason.

    It is 0 where the reader of the results has gone, for whom nothing is left to do, and 2 where that of the progress
    and the errors has. What is still to be written, also at the exit, is lost.
    """
    gone = [stream for stream in (sys.stdout, sys.stderr) if _has_no_reader(stream)]
    for stream in gone:
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
    return (0 if sys.stdout in gone else 2) if gone else None


def _has_no_reader(stream):
    try:
        descriptor = stream.fileno()
    except (OSError, ValueError):  # Of a notebook, or closed.
        return False
    if not hasattr(select, "poll"):
        return stream is sys.stdout
    poll = select.poll()
    poll.register(descriptor, 0)
    return any(events & select.POLLERR for _, events in poll.poll(0))


@contextlib.contextmanager
def warnings_as_notes():
    """Shows the warnings of seqzoo as `note: …`, a line each, and all others as they are."""
    with warnings.catch_warnings():
        show = warnings.showwarning

        def note(message, category, *place):
            if category.__module__.startswith("seqzoo."):
                print(f"note: {printable(str(message))}", file=sys.stderr)
            else:
                show(message, category, *place)

        warnings.showwarning = note
        yield
