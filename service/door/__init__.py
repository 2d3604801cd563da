"""From the socket to the routes: connections, and who and what is let in."""
