"""Where messages go: the ZeroMQ feed, the display, the recorder. Each sink has its own queue and thread."""
