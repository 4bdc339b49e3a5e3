"""The one place where protected actions run: who may, what they were told before, exactly once, and written down."""
