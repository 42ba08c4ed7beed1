"""Where does it go, and whose is it? The route table and the session maps that fill it."""
