"""Many runs as one experiment: trials, seeds, searches, folds, the ladder of tricks, significance."""
