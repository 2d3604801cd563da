"""Articles become a generation: read, clean, cut, encode, commit."""
