"""A bundle fitted to one person, from that person's own unlabelled videos."""
