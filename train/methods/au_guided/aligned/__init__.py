"""The guidance on the encoder of a finished bundle: the textbook overlay, as a lens."""
