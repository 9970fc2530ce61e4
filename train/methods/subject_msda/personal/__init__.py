"""A bundle fitted to one person, from that person's own unlabelled videos.

recipe → footage (the person's clips) → adaptation with differentiable_graph (the map) → bundle, report → run
"""
