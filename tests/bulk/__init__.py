"""Encoding dumps into parts, and building from these."""
