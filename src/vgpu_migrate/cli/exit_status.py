"""What the program leaves with; 0 is yes, or done."""

NO = 1
"""A clear "no": not live-migratable, a plan with stuck VMs, a plan that breaks a rule."""
BAD_INPUT = 2
OUTSIDE = 3
INTERRUPTED = 128 + 2
"""Ctrl-C: 128 and the number of SIGINT."""
BROKEN_PIPE = 128 + 13
"""Nobody reads the answer any more: 128 and the number of SIGPIPE."""
