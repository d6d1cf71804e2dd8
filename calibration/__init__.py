"""The offline step: from pictures of good parts to a bundle that a station can judge by."""
