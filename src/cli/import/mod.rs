//! What the import commands have in common: reading a table, and reporting.

mod report;
mod table;

pub(super) use report::{Progress, Reporter};
pub(super) use table::{Field, Mapping, Row, Table, read_table};
