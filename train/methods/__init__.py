"""The methods of single papers that are more than a model, a loss or a sampler."""
