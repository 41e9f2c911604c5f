"""Model files: reading them safely, and what they may hold."""
