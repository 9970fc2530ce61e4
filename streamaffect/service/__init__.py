"""What a run does as a service: logs for machines, words to the service manager, no more recordings than are kept."""
