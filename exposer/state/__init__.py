"""What is wanted, what is seen, what differs: pure decisions, no effects."""
