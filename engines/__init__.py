"""From a bundle to the fastest engine of this machine that gives the same answers: build, verify, bench, inspect."""
