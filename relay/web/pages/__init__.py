"""One module for each page: its handlers, and `routes()` that says who may ask for them."""
