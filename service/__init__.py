"""Questions become hits, answers and their proof, over HTTP and on the command line."""
