"""Raw → rows: what raw files look like, and their rows with every pinned column in its pinned type."""
