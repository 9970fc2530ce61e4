"""The models that can be trained: frame encoders, clip encoders and heads."""
