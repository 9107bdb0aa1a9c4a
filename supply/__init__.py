"""What we ship that others made: which packages, under which licences, with which holes."""
