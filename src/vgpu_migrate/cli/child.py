"""A program run for the user, as a shell would run it: its signals, its terminal, its exit status.

The signals to be passed on are held back in every thread and taken one by one, so that nothing interrupts
what else this process does meanwhile. What the terminal sends (Ctrl-C, Ctrl-\\, a hang-up) reaches the
program by itself, being in the same process group, and is not sent twice.
"""

from __future__ import annotations

import errno
import os
import signal
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

from vgpu_migrate.cli.endings import say

PASSED_ON = frozenset(
    {signal.SIGHUP, signal.SIGINT, signal.SIGQUIT, signal.SIGTERM, signal.SIGUSR1, signal.SIGUSR2}
)
NOT_FOUND = 127
NOT_EXECUTABLE = 126
_FROM_THE_KERNEL = 0x80
"""SI_KERNEL of <asm-generic/siginfo.h>: sent by the terminal, not by a process."""


@contextmanager
def signals_held_back() -> Iterator[set[signal.Signals]]:
    """Hold back what `run` waits for, in this thread and those that it starts; gives the mask before.

    To be entered by the main thread before any other is started, NumPy's among them: a signal that some
    thread does not hold back may come to that one, and be lost or end the process.
    """
    awaited = {*PASSED_ON, signal.SIGCHLD}
    before = signal.pthread_sigmask(signal.SIG_BLOCK, awaited)
    try:
        yield {signal.Signals(number) for number in before}
    finally:
        # What came after the program's end was meant for it, and would now end us in its stead.
        while signal.sigtimedwait(awaited, 0) is not None:
            pass
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def run(command: Sequence[str], environment: Mapping[str, str], *, mask: set[signal.Signals]) -> int:
    """Run a program to its end and give what a shell would call its exit status.

    Args:
        command: the program, looked for in PATH, and its arguments.
        environment: all of its environment.
        mask: the signals that it shall hold back: those that this process did before.

    Returns:
        Its exit status; 128 and the number of the signal that ended it, or that came before it was started;
        127 where there is no such program, 126 where it cannot be run.

    Raises:
        KeyboardInterrupt: Ctrl-C before it was started.
    """
    came_early = signal.sigpending() & PASSED_ON
    if signal.SIGINT in came_early:
        raise KeyboardInterrupt
    if came_early:
        return 128 + int(min(came_early))
    try:
        pid = os.posix_spawnp(
            command[0],
            list(command),
            dict(environment),
            setsigmask=mask,
            # Python ignores these two for itself.
            setsigdef=[signal.SIGPIPE, signal.SIGXFSZ],
        )
    except (OSError, ValueError) as error:  # ValueError: a NUL in the name
        return _cannot_run(command[0], error)
    return _wait_for(pid)


def _cannot_run(program: str, error: OSError | ValueError) -> int:
    if isinstance(error, OSError) and error.errno != errno.ENOENT:
        say(f"{program}: {(error.strerror or str(error)).lower()}")
        return NOT_EXECUTABLE
    say(f"{program}: command not found" if "/" not in program else f"{program}: no such file")
    return NOT_FOUND


def _wait_for(pid: int) -> int:
    awaited = {*PASSED_ON, signal.SIGCHLD}
    while True:
        ended, status = os.waitpid(pid, os.WNOHANG)
        if ended:
            code = os.waitstatus_to_exitcode(status)
            return code if code >= 0 else 128 - code
        came = signal.sigwaitinfo(awaited)
        if came.si_signo != signal.SIGCHLD and came.si_code != _FROM_THE_KERNEL:
            os.kill(pid, came.si_signo)
