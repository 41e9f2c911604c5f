"""What each process of a search over several processes runs; `workers.supervise` starts it."""

import logging
import os
import sys
import threading

from seqzoo.tuning.search import run_member_of


def main():
    """Runs the search of the folder that the command line names; ends when standard input does."""
    threading.Thread(target=_end_with_the_supervisor, daemon=True).start()
    logging.getLogger("tensorflow").setLevel(logging.ERROR)  # It warns that each trial is traced anew.
    folder, report = sys.argv[1:]
    run_member_of(folder, report == "report")


def _end_with_the_supervisor():
    while os.read(0, 1):  # Not by sys.stdin, which Python takes down first.
        pass
    os._exit(1)
