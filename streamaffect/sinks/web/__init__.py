"""The page: the stream, or a recording, in a browser of this machine; numbers alone unless the picture is asked for."""
