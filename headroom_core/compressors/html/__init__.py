"""HTML pages: their visible text in place of their markup."""
