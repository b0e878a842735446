"""VM groups: reference chapter 1.8. Each is a Heat stack in the project of its namespace."""
