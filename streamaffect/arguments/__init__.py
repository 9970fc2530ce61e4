"""The command line, verb by verb: the words it takes, what `--help` says of them, and what it then calls."""
