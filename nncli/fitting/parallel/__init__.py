"""Run trainings in parallel: tasks, worker processes, and signals between them."""
