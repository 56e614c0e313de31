//! What staff ask for: nobody does in a simulation, but what was set aside may be taken.

use scrutineer::domain::order::OrderKey;
use scrutineer::domain::value::Answers;
use scrutineer::store::StoreError;
use scrutineer::store::ledger::StaffTx;
use scrutineer::store::reading::{RawPart, ReadAnew, TextRow, Which};
use scrutineer::store::request::Closed;
use serde_json::Value;
use time::OffsetDateTime;
use uuid::Uuid;

use super::super::db::Lock;
use super::super::refusal::refused;
use super::{ModelTx, Result};

/// Readings have no table in the model.
fn not_modelled() -> StoreError {
    refused("0A000", "the model has no readings")
}

impl StaffTx for ModelTx {
    async fn take_set_aside(&mut self, spool_id: i32, sequence: i64) -> Result<bool> {
        self.ask().await?;
        let key = (spool_id, sequence);
        let is_there = self.see(|t| t.aside.contains_key(&key))?;
        if !is_there {
            self.conn.leg().await?;
            return Ok(false);
        }
        self.hold([Lock::Aside(spool_id, sequence)]).await?;
        let is_there = self.see(|t| t.aside.contains_key(&key))?;
        self.change(move |t| drop(t.aside.remove(&key)))?;
        self.conn.leg().await?;
        Ok(is_there)
    }

    async fn lock_request(&mut self, _: i64) -> Result<bool> {
        Ok(false)
    }

    async fn close_request(&mut self, _: i64, _: Closed, _: &Value) -> Result<bool> {
        Ok(false)
    }

    async fn lock_texts(&mut self, _: &Which, _: i64) -> Result<Vec<TextRow>> {
        Err(not_modelled())
    }

    async fn lock_text(&mut self, _: Uuid, _: i64) -> Result<bool> {
        Err(not_modelled())
    }

    async fn texts(&mut self, _: &[(Uuid, i64)]) -> Result<Vec<TextRow>> {
        Err(not_modelled())
    }

    async fn other_parts(&mut self, _: i32, _: i64) -> Result<Vec<RawPart>> {
        Err(not_modelled())
    }

    async fn write_reading(&mut self, _: &ReadAnew<'_>) -> Result<()> {
        Err(not_modelled())
    }

    async fn set_answers(&mut self, _: i32, _: Uuid, _: &Answers, _: OrderKey) -> Result<()> {
        Err(not_modelled())
    }

    async fn refresh_submissions(&mut self, _: &[i32], _: &[Uuid]) -> Result<()> {
        Err(not_modelled())
    }

    async fn comments(&mut self, _: &[i32], _: &[Uuid]) -> Result<Vec<(Uuid, OrderKey, String)>> {
        Err(not_modelled())
    }

    async fn progress(&mut self, _: i64) -> Result<(Option<Value>, OffsetDateTime)> {
        Err(not_modelled())
    }

    async fn set_progress(&mut self, _: i64, _: &Value) -> Result<()> {
        Err(not_modelled())
    }
}
