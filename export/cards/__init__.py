"""Model cards: what a preset is, how it was made, and what it was measured to do."""
