"""Between the reference's CronJobs and Kubernetes', and what schedules mean."""
