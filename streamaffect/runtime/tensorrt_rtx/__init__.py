"""TensorRT for RTX, the one TensorRT that plain pip installs, for GeForce and RTX cards: `plugin`, then `engine`."""
