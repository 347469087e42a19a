"""The command line: the only room that prints.

Each command is a thin module that declares its arguments and names its steps; what it imports to take them,
it imports then, so that `--help` costs next to nothing. Its `*_view` module turns the answer into JSON
or into tables. Nothing here decides what is compatible, what fits or what moves.
"""
