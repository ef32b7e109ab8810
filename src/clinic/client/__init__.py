"""The doors to servers: HTTP and the MySQL protocol, with deadlines, size caps and TLS, once."""
