"""What training learns from: batches of reference, targets and pose maps."""
