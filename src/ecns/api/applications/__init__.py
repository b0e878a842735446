"""Applications: reference chapter 1.2, and the types of 1.8 that it stores."""
