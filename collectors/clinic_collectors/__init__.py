"""What Clinic looks at: one file for each kind of data, found by the entry point `clinic.collectors`."""
