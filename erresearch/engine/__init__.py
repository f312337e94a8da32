"""Rows of any engine, and the one lazy group-by that turns them into moments."""
