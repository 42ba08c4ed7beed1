"""What people see: own pages and the JSON API."""
