"""The methods: one folder each, all of the same shape, and the registry that finds them by a recipe's key `method`."""
