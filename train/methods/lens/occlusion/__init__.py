"""Where an answer comes from: a small head on the encoder's map that learns what real occlusion would say."""
