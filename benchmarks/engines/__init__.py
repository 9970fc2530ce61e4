"""What engines cost, where their time goes, and whether they answer alike."""
