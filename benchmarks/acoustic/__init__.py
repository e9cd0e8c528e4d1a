"""The acoustic misfit of fourth order in every way an expert has: a table of times and of memory."""
