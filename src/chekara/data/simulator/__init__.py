"""The simulated border: a world file, actors with hidden characters, and the weeks that they live through."""
