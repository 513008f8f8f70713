"""What a run leaves, and its way to ArviZ."""
