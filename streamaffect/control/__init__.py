"""Commands to a running stream: who may give them, what is done, and where markers come from."""
