"""Chapter 1.5: CronJobs."""
