"""Who the reps are and how they prove it."""
