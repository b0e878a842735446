"""Who is calling (Keystone token), what they may do (policy), and where (cluster and namespace)."""
