"""The frozen side: building, loading and running the teacher."""
