"""Images in Harbor: reference chapter 1.9."""
