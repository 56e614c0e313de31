//! tower-sessions on our own table: the token stays in the cookie, its SHA-256 is the key.
//!
//! Only sessions of somebody are stored: nobody gets a row by asking for the sign-in.

use async_trait::async_trait;
use sha2::{Digest, Sha256};
use tower_sessions::SessionStore;
use tower_sessions::session::{Id, Record};
use tower_sessions::session_store::{Error, Result};

use super::Who;
use crate::store::{Store, StoreError, session};

/// Tries at a key that is not taken; a second is already a wonder.
const TRIES: usize = 3;

/// Sessions in PostgreSQL.
#[derive(Debug, Clone)]
pub(in crate::web) struct Sessions {
    store: Store,
}

impl Sessions {
    pub(super) fn new(store: Store) -> Self {
        Self { store }
    }
}

fn key(id: &Id) -> [u8; 32] {
    Sha256::digest(id.0.to_be_bytes()).into()
}

fn failed(error: StoreError) -> Error {
    Error::Backend(error.to_string())
}

/// Whose it is, and what else it holds.
fn parts(record: &Record) -> Result<(Who, serde_json::Value)> {
    let mut data = record.data.clone();
    let who = data.remove(Who::KEY).ok_or_else(|| Error::Encode("a session of nobody".to_owned()))?;
    let who = serde_json::from_value(who).map_err(|e| Error::Encode(e.to_string()))?;
    Ok((who, serde_json::Value::Object(data.into_iter().collect())))
}

#[async_trait]
impl SessionStore for Sessions {
    async fn create(&self, record: &mut Record) -> Result<()> {
        let (who, data) = parts(record)?;
        for _ in 0..TRIES {
            let made = session::create(&self.store, &key(&record.id), who.id, &data, record.expiry_date).await;
            if made.map_err(failed)? {
                return Ok(());
            }
            record.id = Id::default();
        }
        Err(Error::Backend("no free session key".to_owned()))
    }

    async fn save(&self, record: &Record) -> Result<()> {
        let (_, data) = parts(record)?;
        session::save(&self.store, &key(&record.id), &data, record.expiry_date).await.map_err(failed)
    }

    async fn load(&self, id: &Id) -> Result<Option<Record>> {
        let Some(row) = session::load(&self.store, &key(id)).await.map_err(failed)? else { return Ok(None) };
        let who = Who { id: row.user_id, name: row.name, role: row.role };
        let mut data: std::collections::HashMap<String, serde_json::Value> =
            serde_json::from_value(row.data).map_err(|e| Error::Decode(e.to_string()))?;
        data.insert(Who::KEY.to_owned(), serde_json::to_value(who).map_err(|e| Error::Decode(e.to_string()))?);
        Ok(Some(Record { id: *id, data, expiry_date: row.expires_at }))
    }

    async fn delete(&self, id: &Id) -> Result<()> {
        session::delete(&self.store, &key(id)).await.map_err(failed)
    }
}
