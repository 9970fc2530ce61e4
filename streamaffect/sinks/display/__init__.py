"""The live display in the terminal."""
