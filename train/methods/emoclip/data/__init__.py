"""Videos, descriptions and their CLIP embeddings."""
