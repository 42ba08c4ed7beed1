"""JupyterLab in a container for the demo: an image made of packages, without a registry."""
