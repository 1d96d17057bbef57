"""What the tests share: a clock turned by hand, builders, scripted peers."""
