"""Where faces are found and the engine works: threads that go on when a part of theirs fails or hangs."""
