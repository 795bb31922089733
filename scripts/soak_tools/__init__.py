"""Runs the simulator for as long as wanted."""
