//! `reread`: messages are read anew. Payload: `spool`, `sequence` and perhaps `text` for one; or
//! `outcomes`, `election` (short name), `since`, `until` for many; `alphabet`, `why`, `vouch`, `preview`, `reply`.
//! Result: [`Report`](crate::intake::reread::Report), kept up to date while it goes on; or `error`.

use serde::Deserialize;
use serde_json::json;
use time::OffsetDateTime;
use uuid::Uuid;

use crate::domain::alphabet::DefaultAlphabet;
use crate::domain::outcome::Outcome;
use crate::intake::batch::{Answer, Done, Session, Trouble};
use crate::intake::reread::{Ask, Of, Turn, slice};
use crate::limits::{REREAD_SLICES_A_TURN, TEXT_BYTES_MAX};
use crate::store::Ledger;
use crate::store::reading::Which;
use crate::store::request::{Closed, Open};

/// Its name.
pub(super) const KIND: &str = "reread";

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Payload {
    spool: Option<Uuid>,
    sequence: Option<i64>,
    text: Option<String>,
    #[serde(default)]
    outcomes: Vec<String>,
    election: Option<String>,
    #[serde(default, with = "time::serde::rfc3339::option")]
    since: Option<OffsetDateTime>,
    #[serde(default, with = "time::serde::rfc3339::option")]
    until: Option<OffsetDateTime>,
    alphabet: Option<DefaultAlphabet>,
    #[serde(default)]
    why: String,
    #[serde(default)]
    preview: bool,
    #[serde(default)]
    reply: bool,
    #[serde(default)]
    vouch: bool,
}

pub(super) async fn carry_out<L: Ledger>(session: &Session<L>, request: &Open) -> Result<(Done, Answer), Trouble> {
    let ask = match ask(session, request) {
        Ok(ask) => ask,
        Err(error) => return Ok((Done::default(), Answer::Nothing(Closed::Refused, json!({ "error": error })))),
    };
    let mut all = Done::default();
    for _ in 0..REREAD_SLICES_A_TURN {
        let (done, turn) = slice(session, request, &ask).await?;
        all.some_due |= done.some_due;
        match turn {
            Turn::More => {}
            Turn::Done => return Ok((all, Answer::Done)),
            Turn::Gone => return Ok((all, Answer::Gone)),
            Turn::Nothing(how, value) => return Ok((all, Answer::Nothing(how, value))),
        }
    }
    // Others have their turn; it goes on where it is.
    Ok((all, Answer::Gone))
}

fn ask<L: Ledger>(session: &Session<L>, request: &Open) -> Result<Ask, String> {
    let payload: Payload =
        serde_json::from_value(request.payload.clone()).map_err(|e| format!("the request can't be read: {e}"))?;
    let text = payload.text.map(|t| t.replace('\0', "\u{FFFD}")).map(|t| t.trim().to_owned());
    if text.as_ref().is_some_and(|t| t.is_empty() || t.len() > TEXT_BYTES_MAX) {
        return Err(format!("a corrected reading has 1 to {TEXT_BYTES_MAX} bytes"));
    }
    let of = match (payload.spool, payload.sequence) {
        (Some(spool), Some(sequence)) => Of::One { spool, sequence, text },
        (None, None) if text.is_none() => {
            let may = |o: &Outcome| !matches!(o, Outcome::Segment | Outcome::SetAside);
            let outcomes: Vec<String> = payload
                .outcomes
                .iter()
                .filter_map(|word| Outcome::from_word(word).filter(may))
                .map(|o| o.as_str().to_owned())
                .collect();
            if outcomes.is_empty() || outcomes.len() != payload.outcomes.len() {
                return Err(
                    "name the outcomes of the messages to read anew; parts and what is set aside are not among them"
                        .to_owned(),
                );
            }
            let known = session.roster.current();
            let election = match &payload.election {
                None => None,
                Some(slug) => {
                    let book = known.roster.books.iter().find(|b| b.election.slug == *slug);
                    Some(
                        book.ok_or_else(|| {
                            format!(
                                "`{slug}` is no election that the worker knows: it is archived, or was closed long ago"
                            )
                        })?
                        .election
                        .id,
                    )
                }
            };
            Of::Many(Which {
                outcomes,
                election,
                or_none: true,
                since: payload.since,
                until: payload.until,
                after: None,
            })
        }
        _ => return Err("name one message, or the outcomes of many".to_owned()),
    };
    let why: String = payload.why.chars().take(500).collect();
    Ok(Ask {
        of,
        alphabet: payload.alphabet,
        why: why.replace('\0', "\u{FFFD}"),
        preview: payload.preview,
        reply: payload.reply,
        vouch: payload.vouch,
    })
}
