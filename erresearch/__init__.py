"""Does engagement go with revenue? Tests it, and shows its doubts."""
