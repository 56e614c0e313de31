//! tower-sessions on our own table: the token stays in the cookie, its SHA-256 is the key.
//!
//! Only sessions of somebody are stored: nobody gets a row by asking for the sign-in. What was asked
//! for a moment ago is not asked for again, and stands in while the database is away ([`super::remembered`]).

use async_trait::async_trait;
use sha2::{Digest, Sha256};
use tower_sessions::SessionStore;
use tower_sessions::session::{Id, Record};
use tower_sessions::session_store::{Error, Result};

use super::Who;
use super::remembered::{Held, Key};
use crate::store::{StoreError, session};
use crate::web::App;

/// Tries at a key that is not taken; a second is already a wonder.
const TRIES: usize = 3;

/// Sessions in PostgreSQL.
#[derive(Debug, Clone)]
pub(in crate::web) struct Sessions {
    app: App,
}

impl Sessions {
    pub(super) fn new(app: App) -> Self {
        Self { app }
    }
}

/// The table's key of a session.
pub(in crate::web) fn key(id: &Id) -> Key {
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

fn record(id: &Id, held: Held) -> Result<Record> {
    let mut data: std::collections::HashMap<String, serde_json::Value> =
        serde_json::from_value(held.data).map_err(|e| Error::Decode(e.to_string()))?;
    data.insert(Who::KEY.to_owned(), serde_json::to_value(held.who).map_err(|e| Error::Decode(e.to_string()))?);
    Ok(Record { id: *id, data, expiry_date: held.expires_at })
}

#[async_trait]
impl SessionStore for Sessions {
    async fn create(&self, record: &mut Record) -> Result<()> {
        let (who, data) = parts(record)?;
        for _ in 0..TRIES {
            let made = session::create(self.app.store(), &key(&record.id), who.id, &data, record.expiry_date).await;
            if made.map_err(failed)? {
                return Ok(());
            }
            record.id = Id::default();
        }
        Err(Error::Backend("no free session key".to_owned()))
    }

    async fn save(&self, record: &Record) -> Result<()> {
        let (_, data) = parts(record)?;
        self.app.0.sessions.forget(&key(&record.id));
        session::save(self.app.store(), &key(&record.id), &data, record.expiry_date).await.map_err(failed)
    }

    async fn load(&self, id: &Id) -> Result<Option<Record>> {
        let (key, shared) = (key(id), &self.app.0);
        if let Some(held) = shared.sessions.fresh(&key) {
            return record(id, held).map(Some);
        }
        let kept = shared.sessions.kept(&key);
        // While it is away nobody waits for it twice.
        if let Some(held) = kept.clone().filter(|_| shared.good_pages.is_away()) {
            return record(id, held).map(Some);
        }
        match session::load(self.app.store(), &key).await {
            Ok(Some(row)) => {
                let who = Who { id: row.user_id, name: row.name, role: row.role };
                let held = Held::new(who, row.data, row.expires_at);
                shared.sessions.put(key, held.clone());
                record(id, held).map(Some)
            }
            Ok(None) => {
                shared.sessions.forget(&key);
                Ok(None)
            }
            Err(error) => match kept.filter(|_| error.is_transient()) {
                Some(held) => {
                    shared.good_pages.note_away();
                    record(id, held).map(Some)
                }
                None => Err(failed(error)),
            },
        }
    }

    async fn delete(&self, id: &Id) -> Result<()> {
        self.app.0.sessions.forget(&key(id));
        session::delete(self.app.store(), &key(id)).await.map_err(failed)
    }
}
