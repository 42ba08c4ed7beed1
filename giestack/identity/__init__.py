"""Who is asking? Cookies, Galaxy sessions, ownership, and how long an answer is believed."""
