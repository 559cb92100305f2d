//! What survives a restart: SQLite behind a trait.
