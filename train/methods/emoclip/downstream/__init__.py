"""A task of one's own on the video embedding of a finished EmoCLIP."""
