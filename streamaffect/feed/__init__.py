"""The feed as messages: the wire format, addresses, keys, and what a subscriber knows."""
