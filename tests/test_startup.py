"""What a program that imports seqzoo shows on standard error while TensorFlow starts."""

import os
import signal
import subprocess
import sys

import pytest

from seqzoo import startup

LINE = b"I0000 00:00:1795697994.116230    3565 "
ABSL = b"WARNING: All log messages before absl::InitializeLog() is called are written to STDERR\n"
KNOWN = ABSL + LINE + b"port.cc:153] oneDNN custom operations are on. You may see slightly different results.\n"
ERROR = b"E0000 00:00:1795697994.116230    3565 "


def run(*arguments, **environment):
    """Runs Python for a user who has set no log level but that in `environment`; output is bytes."""
    inherited = {name: value for name, value in os.environ.items() if name != "TF_CPP_MIN_LOG_LEVEL"}
    return subprocess.run([sys.executable, *arguments], env={**inherited, **environment}, capture_output=True)


@pytest.fixture
def run_with(tmp_path):
    """Runs Python code where `import tensorflow` executes other code that is given."""

    def run_with(tensorflow, code, command=()):
        package = tmp_path / "tensorflow"
        package.mkdir()
        (package / "__init__.py").write_text(f"import os\n{tensorflow}")
        program = tmp_path / "program.py"
        program.write_text(f"import os, sys\n{code}")
        return subprocess.run([*command, sys.executable, program], capture_output=True)

    return run_with


@pytest.mark.parametrize(
    "code",
    [
        "import seqzoo.models",
        pytest.param("from seqzoo import pipelines", marks=pytest.mark.slow(minutes=1)),
        "import seqzoo, keras; keras.ops.ones(1)",
    ],
)
def test_start_shows_nothing_and_leaves_standard_error_as_it_was(code):
    check = "assert os.path.samestat(before, os.fstat(2))"
    result = run("-c", f"import os; before = os.fstat(2)\n{code}\n{check}")
    assert (result.returncode, result.stderr) == (0, b"")


def test_command_line_shows_nothing_but_the_answer():
    result = run("-m", "seqzoo", "generate", "addition_reverse", "1+1")
    assert (result.stdout, result.stderr) == (b"2\n", b"")


@pytest.mark.slow(minutes=1)
def test_first_look_for_devices_shows_nothing_where_tensorflow_was_imported_first():
    code = (
        "import os, tensorflow; os.write(2, b'imported\\n')\n"
        "import seqzoo; tensorflow.config.list_physical_devices(); os.write(2, b'looked\\n')"
    )
    assert run("-c", code).stderr.endswith(b"imported\nlooked\n")


@pytest.mark.slow(minutes=1)
def test_log_level_0_shows_every_line():
    result = run("-c", "import seqzoo, tensorflow", TF_CPP_MIN_LOG_LEVEL="0")
    assert ABSL in result.stderr
    assert b"oneDNN" in result.stderr


def test_warning_of_tensorflow_during_its_import_is_shown():
    result = run("-c", "import seqzoo, tensorflow", TF_ENABLE_ONEDNN_OPTS="maybe")
    assert result.stderr
    for line in result.stderr.splitlines():
        assert line.startswith(b"W")
        assert b"TF_ENABLE_ONEDNN_OPTS is not set to either" in line


def test_error_by_which_tensorflow_ends_the_process_is_shown():
    code = "import seqzoo, tensorflow; tensorflow.config.list_physical_devices()"
    result = run("-c", code, TF_XLA_FLAGS="missing")
    assert result.returncode == 1
    assert result.stderr.startswith(b"F")
    assert b'Could not open file "missing"' in result.stderr.splitlines()[0]


def test_lines_arrive_in_order_and_to_the_byte(run_with):
    written = b"an error\r\n\xff\0\n\n" + ERROR + b"port.cc:1] oneDNN\n" + LINE + b"unknown.cc:1] oneDNN\npartial"
    tensorflow = f"os.write(2, {KNOWN!r})\nos.write(2, {written!r})"
    result = run_with(tensorflow, "os.write(2, b'before;'); import seqzoo, tensorflow; os.write(2, b';after')")
    assert result.stderr == b"before;" + written + b";after"


def test_lines_written_before_a_crash_arrive(run_with):
    result = run_with(f"os.write(2, {KNOWN!r} + b'an error\\npartial'); os.abort()", "import seqzoo, tensorflow")
    assert result.returncode == -signal.SIGABRT
    assert result.stderr == b"an error\npartial"


def test_more_lines_than_a_pipe_holds_arrive(run_with):
    lines = b"an error\n" * 50_000
    assert run_with("os.write(2, b'an error\\n' * 50_000)", "import seqzoo, tensorflow").stderr == lines


def test_failing_import_raises_and_the_next_is_filtered_too(run_with):
    tensorflow = f"os.write(2, {KNOWN!r}); import missing"
    code = (
        "before = os.fstat(2); open_files = len(os.listdir('/dev/fd')); import seqzoo\n"
        "for name in ('first', 'second'):\n"
        " try:\n  import tensorflow\n"
        " except ImportError as error:\n  print(name, error)\n"
        " assert os.path.samestat(before, os.fstat(2))\n"
        " assert len(os.listdir('/dev/fd')) == open_files"
    )
    result = run_with(tensorflow, code)
    assert result.stdout == b"first No module named 'missing'\nsecond No module named 'missing'\n"
    assert result.stderr == b""


def test_threads_that_import_at_once_are_filtered(run_with):
    code = (
        "before = os.fstat(2); import seqzoo, threading\n"
        "start = threading.Barrier(4)\n"
        "def load():\n start.wait(); import tensorflow\n"
        "threads = [threading.Thread(target=load) for _ in range(4)]\n"
        "for thread in threads: thread.start()\n"
        "for thread in threads: thread.join()\n"
        "assert not [hook for hook in sys.meta_path if type(hook).__module__ == 'seqzoo.startup']\n"
        "assert os.path.samestat(before, os.fstat(2))"
    )
    result = run_with(f"os.write(2, {KNOWN!r})", code)
    assert (result.returncode, result.stderr) == (0, b"")


def test_process_started_during_the_import_can_still_write(run_with):
    tensorflow = (
        "import subprocess\nprocess = subprocess.Popen(['sh', '-c', 'read go; echo late >&2'], stdin=subprocess.PIPE)"
    )
    result = run_with(tensorflow, "import seqzoo, tensorflow; tensorflow.process.communicate(b'go\\n')")
    assert result.stderr == b"late\n"


def test_closed_standard_error_stays_closed(run_with):
    code = "import seqzoo, tensorflow\ntry:\n os.fstat(2)\nexcept OSError:\n print('closed')"
    result = run_with("", code, command=["sh", "-c", 'exec "$0" "$@" 2>&-'])
    assert (result.returncode, result.stdout) == (0, b"closed\n")


@pytest.mark.parametrize("executable", ["'/bin/application'", "'/missing/python'", "None"])
def test_import_goes_on_where_standard_error_cannot_be_redirected(run_with, executable):
    result = run_with(f"os.write(2, {KNOWN!r})", f"sys.executable = {executable}; import seqzoo, tensorflow")
    assert (result.returncode, result.stderr) == (0, KNOWN)


@pytest.mark.parametrize(("users", "expected"), [(None, b"1"), ("3", b"3")])
def test_log_level_of_the_user_is_left_alone(users, expected):
    environment = {"TF_CPP_MIN_LOG_LEVEL": users} if users else {}
    result = run("-c", "import os, seqzoo; print(os.environ['TF_CPP_MIN_LOG_LEVEL'])", **environment)
    assert result.stdout.strip() == expected


def passes(line):
    """Whether the filter lets a line pass."""
    command = [sys.executable, startup.__file__]
    output = subprocess.run(command, input=line + b"\n", capture_output=True, check=True).stdout
    assert output in (b"", line + b"\n")
    return bool(output)


@pytest.mark.parametrize(
    "line",
    [
        b"E0000 00:00:1736841518.537290   68237 cuda_dnn.cc:8310] Unable to register cuDNN factory: Attempting to "
        b"register factory for plugin cuDNN when one has already been registered",
        b"W0000 00:00:1746692412.113210   21480 computation_placer.cc:177] computation placer already registered. "
        b"Please check linkage and avoid linking the same target more than once.",
        b"I0000 00:00:1723232760.061207 1704934 cuda_executor.cc:1015] successful NUMA node read from SysFS had "
        b"negative value (-1), but there must be at least one NUMA node, so returning NUMA node zero.",
        b"E0000 00:00:1795698005.735933    3762 cuda_platform.cc:52] failed call to cuInit: INTERNAL: CUDA error: "
        b"Failed call to cuInit: CUDA_ERROR_NO_DEVICE: no CUDA-capable device is detected",
    ],
)
def test_lines_of_machines_with_a_gpu_are_known(line):
    assert not passes(line)


@pytest.mark.parametrize(
    "line",
    [
        b"F0000 00:00:1795697994.812209    3565 cpu_feature_guard.cc:111] The TensorFlow library was compiled to use "
        b"AVX instructions, but these aren't available on your machine.",
        b"E0000 00:00:1795698005.735933    3762 cuda_platform.cc:52] failed call to cuInit: INTERNAL: CUDA error: "
        b"Failed call to cuInit: CUDA_ERROR_SYSTEM_DRIVER_MISMATCH: system has unsupported display driver",
        b"W0000 00:00:1795698005.735933    3762 gpu_device.cc:2342] Cannot dlopen some GPU libraries.",
        b"Traceback: " + ERROR + b"cuda_platform.cc:52] failed call to cuInit: UNKNOWN ERROR (303)",
    ],
)
def test_lines_that_a_user_can_act_on_are_not_known(line):
    assert passes(line)
