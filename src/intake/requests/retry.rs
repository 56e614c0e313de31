//! `retry`: a record that was set aside is processed again. Payload: `spool` (UUID), `sequence`, and
//! `preview` to see what would come of it. Result: `texts`, each with message, text, outcome, reading,
//! submissions and reply; or `error`.

use serde::Deserialize;
use serde_json::json;
use uuid::Uuid;

use crate::intake::batch::{Answer, Done, Session, Trouble, again};
use crate::store::Ledger;
use crate::store::request::{Closed, Open};

/// Its name.
pub(super) const KIND: &str = "retry";

#[derive(Debug, Deserialize)]
struct Payload {
    spool: Uuid,
    sequence: i64,
    #[serde(default)]
    preview: bool,
}

pub(super) async fn carry_out<L: Ledger>(session: &Session<L>, request: &Open) -> Result<(Done, Answer), Trouble> {
    let refused = |error: String| Ok((Done::default(), Answer::Nothing(Closed::Refused, json!({ "error": error }))));
    let payload: Payload = match serde_json::from_value(request.payload.clone()) {
        Ok(payload) => payload,
        Err(error) => return refused(format!("the request can't be read: {error}")),
    };
    match session.store.kept(payload.spool, payload.sequence).await? {
        Some(kept) => again(session, request, &kept, payload.preview).await,
        None => refused("no such record is set aside (any more)".to_owned()),
    }
}
