//! PostgreSQL away.
