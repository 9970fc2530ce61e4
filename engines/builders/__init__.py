"""What each backend compiles: graphs in half precision, quantised graphs, TensorRT plans."""
