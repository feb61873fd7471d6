"""Keys and what is encrypted under them: values in, values out, no database in sight."""
