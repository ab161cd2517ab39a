"""Runs on disk: their folders and checkpoints."""
