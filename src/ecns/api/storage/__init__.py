"""Chapter 1.20: storage classes and volumes, and the list that shows claims with them."""
