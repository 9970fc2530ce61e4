"""From data to model to bundle: data, models, losses, metrics, loop, checkpoint, export, card."""
