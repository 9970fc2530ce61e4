"""What runs between sources and sinks: stages, their threads and queues, and the state of each stream."""
