"""Videos, descriptions and their CLIP embeddings: crops → features → videos, reader → load."""
