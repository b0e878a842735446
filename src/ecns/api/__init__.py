"""The reference's chapters, a package for each."""
