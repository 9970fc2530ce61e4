"""From what a method declares to a bundle on disk: graphs, manifest, checks, card."""
