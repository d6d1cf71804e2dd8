"""Methods of anomaly detection under one contract."""
