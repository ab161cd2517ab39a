"""The machine a run works on: what it has left, whether a run will fit, and who looks after runs as they go."""
