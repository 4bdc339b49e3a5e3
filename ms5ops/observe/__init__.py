"""Reading a TimescaleDB server: readers take a ``Server`` and give records; judgements are pure functions over them."""
