"""Videos: decoded safely, cut into shots, and the people in them followed as tracks."""
