"""Becomes the ngrok agent, tied to the life of the helper. Run by its path; standard library only."""

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1


def main(argv: list[str]) -> None:
    """`argv` is the helper's pid, the real agent, and the agent's own arguments."""
    helper, program, *rest = argv
    os.dup2(1, 2)  # errors on standard error repeat the token: they go where everything is redacted
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != int(helper):
        sys.exit(1)  # the helper died before the kernel knew of the tie
    os.execv(program, [program, *rest])  # noqa: S606


if __name__ == "__main__":
    main(sys.argv[1:])
