"""The SMTP client that carries mail to the next hop."""
