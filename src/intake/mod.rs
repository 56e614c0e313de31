//! From records to rows: understand, settle, commit.

pub mod decide;
