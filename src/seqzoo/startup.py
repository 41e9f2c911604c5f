"""Keeps TensorFlow's start-up lines out of standard error, and nothing else.

While TensorFlow is imported, and while it looks for devices for the first time, standard error passes through a process
that drops the lines below. A thread would not do: TensorFlow writes from C++ while it holds the interpreter's lock, and
what it writes before it aborts must still be shown. This file is also that process's program.
"""

import contextlib
import functools
import gc
import importlib.machinery
import os
import re
import subprocess
import sys
import threading

_KNOWN_LINES = (
    # Every machine; written before TF_CPP_MIN_LOG_LEVEL is read.
    rb"WARNING: All log messages before absl::InitializeLog\(\) is called are written to STDERR",
    rb"I<time>port\.cc:\d+\] oneDNN custom operations are on\.",
    rb"I<time>cpu_feature_guard\.cc:\d+\] This TensorFlow binary is optimized to use available CPU instructions",
    rb"To enable the following instructions: .* rebuild TensorFlow with the appropriate compiler flags\.",
    # No CUDA driver (303), no GPU, or none visible. Other failures of cuInit are shown.
    rb"I<time>cudart_stub\.cc:\d+\] Could not find cuda drivers on your machine, GPU will not be used\.",
    rb"E<time>cuda_platform\.cc:\d+\] failed call to cuInit: .*(UNKNOWN ERROR \(303\)|CUDA_ERROR_NO_DEVICE)",
    # Two of TensorFlow's libraries register the same code.
    rb"E<time>cuda_(blas|dnn|fft)\.cc:\d+\] Unable to register cu\w+ factory: .* already been registered",
    rb"W<time>computation_placer\.cc:\d+\] [Cc]omputation placer .*already registered",
    # A virtual machine, or a kernel, that does not say which memory is nearest to a GPU.
    rb"[IWE]<time>cuda_(gpu_)?executor\.cc:\d+\] .*NUMA node",
)
_KNOWN = re.compile(b"|".join(_KNOWN_LINES).replace(b"<time>", rb"\d{4} [\d:.]+ +\d+ "))
_READY = b"ready"

_users_log_level = os.environ.get("TF_CPP_MIN_LOG_LEVEL")
_lock = threading.RLock()


def set_log_level(level):
    """Sets the least severe lines that TensorFlow writes, if the user has not.

    "1" is for warnings, "2" for errors, "3" for those that end the process.
    """
    if _users_log_level is None:
        os.environ["TF_CPP_MIN_LOG_LEVEL"] = level


def filter_tensorflow():
    """Filters TensorFlow's import and its first look for devices, unless the user wants every line (log level 0)."""
    if _users_log_level == "0":
        return
    if "tensorflow" in sys.modules:
        _filter_first_look_for_devices()
    else:
        sys.meta_path.insert(0, _Finder())


class _Finder:
    """An import hook that finds TensorFlow, and filters what its import writes."""

    def find_spec(self, name, path=None, target=None):
        spec = importlib.machinery.PathFinder.find_spec(name, path, target) if name == "tensorflow" else None
        if spec and spec.loader:
            spec.loader.exec_module = functools.partial(self._execute, spec.loader.exec_module)
        return spec

    def _execute(self, exec_module, module):
        collects = gc.isenabled()
        gc.disable()  # A collection would walk all that is imported, again and again: a sixth of the start.
        try:
            with _filter():
                exec_module(module)
        finally:
            gc.freeze()
            (gc.enable if collects else gc.disable)()
        if self in sys.meta_path:
            sys.meta_path.remove(self)
        _filter_first_look_for_devices()


def _filter_first_look_for_devices():
    # All looks go through this private method. Looking at once would read CUDA_VISIBLE_DEVICES before the user sets it.
    with contextlib.suppress(AttributeError, KeyError):
        context = sys.modules["tensorflow.python.eager.context"].Context
        look = context._initialize_physical_devices

        def first_look(self, *args, **keywords):
            with _filter():
                look(self, *args, **keywords)
                context._initialize_physical_devices = look

        context._initialize_physical_devices = first_look


@contextlib.contextmanager
def _filter():
    with _lock, contextlib.ExitStack() as stack:
        # An application that embeds Python would start itself in place of the filter.
        if "python" in os.path.basename(sys.executable or ""):
            with contextlib.suppress(Exception):  # Where standard error cannot be redirected, it stays as it is.
                stack.enter_context(_redirected())
        yield


@contextlib.contextmanager
def _redirected():
    command, pipe = [sys.executable, "-I", "-S", __file__], subprocess.PIPE
    with open(os.dup(2), "wb", buffering=0) as original:
        process = subprocess.Popen(command, stdin=pipe, stdout=original, stderr=pipe, start_new_session=True)
        if process.stderr.read(len(_READY)) == _READY:
            os.dup2(process.stdin.fileno(), 2)
        try:
            yield
        finally:
            with contextlib.suppress(OSError):
                if os.path.samestat(os.fstat(2), os.fstat(process.stdin.fileno())):
                    os.dup2(original.fileno(), 2)
            process.stdin.close()
            process.stderr.close()
            with contextlib.suppress(subprocess.TimeoutExpired):  # Processes started meanwhile may still write there.
                process.wait(timeout=1)


if __name__ == "__main__":
    os.write(2, _READY)
    for line in sys.stdin.buffer:
        if not _KNOWN.match(line):
            sys.stdout.buffer.write(line)
            sys.stdout.buffer.flush()
