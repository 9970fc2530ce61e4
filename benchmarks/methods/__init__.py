"""What single methods bring, measured: each one command."""
