//! Who sends in a trial: those that the checklist file names, those of a roster file, or an election's.

use std::path::PathBuf;
use std::sync::Arc;

use anyhow::Context;

use crate::cli::{election, observer};
use crate::config::Config;
use crate::domain::auth::AuthKey;
use crate::domain::checklist::{Checked, Checklist, ChecklistState};
use crate::domain::election::{AuthPolicy, Election, Identify, Unverified};
use crate::domain::phone::normalised;
use crate::domain::report::Report;
use crate::domain::roster::{Form, NewObserver, Register};
use crate::limits::CLOSED_ELECTION_DAYS;
use crate::role::support;
use crate::store::roster;

/// Arguments about senders.
#[derive(Debug, clap::Args)]
pub(super) struct Senders {
    /// Phone that the texts come from; a JSON line may name another one: {"from": ..., "text": ...}
    #[arg(long, value_name = "PHONE")]
    pub(super) from: Option<String>,
    /// Observers and their phones: a CSV file as `observer import` takes it; stations are left aside
    #[arg(long, value_name = "CSV", conflicts_with_all = ["observer", "election"])]
    roster: Option<PathBuf>,
    /// Country code that stands for the 0 that the roster's national numbers begin with
    #[arg(long, requires = "roster", value_parser = observer::country_code)]
    country_code: Option<String>,
    /// What tells who reports, with --roster
    #[arg(long, requires = "roster", default_value = "code", value_parser = election::word(&Identify::ALL, Identify::as_str))]
    identify: String,
    /// What is done with a report whose phone isn't the observer's, with --roster
    #[arg(long, requires = "roster", default_value = "accept", value_parser = election::word(&Unverified::ALL, Unverified::as_str))]
    unverified: String,
    /// Who must send an authentication code, with --roster
    #[arg(long, requires = "roster", default_value = "off", value_parser = election::word(&AuthPolicy::ALL, AuthPolicy::as_str))]
    auth_code: String,
    /// Election of the database whose observers, phones, codes and settings hold, as if it were open and the
    /// file's checklists in use
    #[arg(long, value_name = "SLUG", conflicts_with = "observer")]
    pub(super) election: Option<String>,
}

impl Senders {
    /// The roster file's, with the settings given.
    pub(super) fn of_file(&self, checked: &Checked, language: &str) -> anyhow::Result<Option<Register>> {
        let Some(file) = &self.roster else { return Ok(None) };
        let rows = observer::rows(file, self.country_code.as_deref())?;
        let election = Election {
            identify: Identify::from_word(&self.identify).unwrap_or_default(),
            unverified: Unverified::from_word(&self.unverified).unwrap_or_default(),
            auth: AuthPolicy::from_word(&self.auth_code).unwrap_or_default(),
            ..open(language)
        };
        let mut register = Register::new(election, forms(checked));
        let key = AuthKey::new(&[0; 32]).context("no key for authentication codes")?;
        let mut hashes = Vec::new();
        for (row, id) in rows.iter().zip(1..) {
            register.add(&NewObserver {
                id,
                code: &row.code,
                language: row.language.as_ref().and_then(Option::as_deref),
                station: None,
                phones: row.phones.as_deref().unwrap_or_default(),
            });
            let code = row.auth_code.as_ref().and_then(Option::as_deref);
            hashes.extend(code.map(|code| (id, key.hash(0, &row.code, code))));
        }
        register.sort();
        register.set_auth(key, hashes);
        Ok(Some(register))
    }
}

/// An election as the database has it, with the file's checklists in use.
pub(super) async fn of_election(config: &Config, slug: &str, checked: &Checked) -> anyhow::Result<Register> {
    let store = support::open_owner(config).await?;
    let loaded = roster::load_with_drafts(&store, CLOSED_ELECTION_DAYS).await?;
    let book = loaded.roster.books.into_iter().find(|book| book.election.slug == slug);
    let book = book.with_context(|| {
        format!(
            "there is no election {slug} that is in draft, open, or closed within {CLOSED_ELECTION_DAYS} days; \
             `scrutineer election list` shows them"
        )
    })?;
    let mut register = Arc::unwrap_or_clone(book);
    register.forms = forms(checked);
    (register.election.opened_us, register.election.closed_us) = (Some(0), None);
    Ok(register)
}

/// An election that is always open.
pub(super) fn open(language: &str) -> Election {
    Election { language: language.to_owned(), replies_per_hour: u32::MAX, ..Election::plain(0, "trial") }
}

/// The file's checklists, all in use.
pub(super) fn forms(checked: &Checked) -> Vec<Form> {
    checked.checklists.iter().map(|c| Form::from(Checklist { state: ChecklistState::Live, ..c.clone() })).collect()
}

/// Whom a report is taken to be from, in words.
pub(super) fn is(register: &Register, report: &Report, phone: &str) -> String {
    let phone = &*normalised(phone);
    let owners: Vec<String> = register.owners(phone).map(|o| o.code.to_string()).collect();
    let (identify, unverified) = (register.election.identify, register.election.unverified.as_str());
    match (&report.observer, &owners[..]) {
        (Some(code), _) => match register.observer(code) {
            None => format!("nobody: no observer has code {code}"),
            Some(observer) if register.phone_belongs(phone, observer) => format!("{code}, whose phone it is"),
            Some(_) if owners.is_empty() => format!("{code}, from an unknown phone ({unverified})"),
            Some(_) => format!("{code}, from the phone of {} ({unverified})", owners.join(" and ")),
        },
        (None, _) if !identify.by_phone() => "nobody: without an observer code".to_owned(),
        (None, []) => "nobody: the phone is unknown".to_owned(),
        (None, [one]) => format!("{one}, by the phone"),
        (None, several) => format!("nobody: {} share the phone", several.join(" and ")),
    }
}
