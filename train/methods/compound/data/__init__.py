"""Features of every modality: read, made from videos, or drawn."""
