"""The feed as a sink: one ZeroMQ socket for all streams, who may connect to it, and what late joiners get."""
