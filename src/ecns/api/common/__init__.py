"""What the chapters share: operations, paging, batches, waiting."""
