"""Reading and encoding dumps on many machines, into parts that a build takes articles and vectors from."""
