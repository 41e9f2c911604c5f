"""Files that are whole or not there, and what a run's folder was asked to do."""
