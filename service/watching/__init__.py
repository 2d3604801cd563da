"""How the service is and what becomes of requests: counted, timed, logged, told to whoever watches."""
