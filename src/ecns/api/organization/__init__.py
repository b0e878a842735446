"""Domains and projects: reference chapter 1.17."""
