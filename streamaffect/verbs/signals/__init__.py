"""What signals ask of a run: an end in order, by force where nothing else helps; a stop and going on."""
