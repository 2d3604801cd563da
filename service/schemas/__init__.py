"""The wire: requests as they are validated, responses as they leave."""
