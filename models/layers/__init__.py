"""Layers of the models: recurrent cells over whole sequences, loops, initial weights."""
