"""giestack beside the real gx-it-proxy: the same requests, and where the two differ."""
