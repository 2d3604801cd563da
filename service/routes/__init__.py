"""One file for each protocol that the service speaks."""
