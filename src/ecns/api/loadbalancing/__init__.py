"""Dedicated load balancing, what it is made of and what is left of it: reference chapter 1.23."""
