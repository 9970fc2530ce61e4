"""The page at the command line: of a run, and of a recording."""
