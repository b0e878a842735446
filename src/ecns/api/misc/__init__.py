"""Kernel capabilities and the uniqueness check: reference chapter 1.13."""
