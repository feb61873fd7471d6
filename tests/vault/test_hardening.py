"""A process that holds keys leaves no core dump. Tested in processes of their own."""

import resource
import subprocess
import sys

import pytest

LOOK = """
import ctypes, resource
def state():
    dumpable = ctypes.CDLL(None).prctl(3, 0, 0, 0, 0)  # PR_GET_DUMPABLE
    return resource.getrlimit(resource.RLIMIT_CORE), dumpable
"""


def run(code):
    done = subprocess.run(
        [sys.executable, "-c", LOOK + code], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.skipif(sys.platform != "linux", reason="asks Linux")
def test_core_dumps_are_off_and_memory_is_closed():
    out = run(
        "from registry.vault.hardening import disable_core_dumps\n"
        "before = state()[1]; disable_core_dumps(); print(before, *state())"
    )
    assert out == "1 (0, 0) 0\n"


@pytest.mark.skipif(sys.platform != "linux", reason="asks Linux")
def test_a_forked_child_is_closed_too():
    out = run(
        "import os\nfrom registry.vault.hardening import disable_core_dumps\n"
        "disable_core_dumps()\n"
        "child = os.fork()\n"
        "if child == 0:\n    print(*state(), flush=True)\n    os._exit(0)\n"
        "os.waitpid(child, 0)"
    )
    assert out == "(0, 0) 0\n"


def test_it_can_be_done_twice():
    run("from registry.vault.hardening import disable_core_dumps as off\noff(); off()")


def test_the_tests_themselves_are_not_hardened():
    """Or the tests above would show nothing."""
    assert resource.getrlimit(resource.RLIMIT_CORE)[1] != 0 or sys.platform != "linux"
