"""What measuring fleets needs: the command, and a cluster."""
