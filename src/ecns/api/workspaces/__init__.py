"""Workspaces, which are projects of Harbor: reference chapter 1.7."""
