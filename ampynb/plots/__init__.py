"""Pictures of fits, chains and posteriors: functions that return axes."""
