"""What a cluster offers, compared with what jobs ask for."""
