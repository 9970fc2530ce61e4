"""Where frames come from: cameras, files, network streams, the shipped demo clip and synthetic load."""
