"""The door through which articles come in: paths in, one stream of raw articles out."""
