"""Pictures and clips of faces with their labels, and how they are sampled and augmented."""
