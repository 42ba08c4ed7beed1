"""What ``--demo`` stands on: a small host database, a session map, a real JupyterLab."""
