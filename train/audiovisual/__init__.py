"""What the methods that hear share: sound, spectrograms, and steps of face and voice on one clock."""
