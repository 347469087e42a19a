"""Where the program begins: `vgpu-migrate`, and `python -m vgpu_migrate`, which is the same."""

import sys

INTERRUPTED = 128 + 2


def main() -> None:
    """Run the program and leave with its exit status, whenever Ctrl-C comes."""
    try:
        # Imported here: even that takes long enough to be interrupted.
        from vgpu_migrate.cli.main import main as program

        program()
    except KeyboardInterrupt:  # before the program could listen, or when it no longer did
        _say_interrupted()
        sys.exit(INTERRUPTED)
    finally:
        import signal

        # What is left is the interpreter's own end, which an interrupt would only make noisy.
        signal.signal(signal.SIGINT, signal.SIG_IGN)


def _say_interrupted() -> None:
    try:
        if sys.stderr is not None:
            sys.stderr.write("interrupted\n")
    except OSError:
        pass


if __name__ == "__main__":
    main()
