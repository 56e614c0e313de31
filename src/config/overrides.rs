//! Keys that the environment sets, above the file: `SCRUTINEER__SECTION__KEY`.

use toml::{Table, Value};

use super::load::{Reader, sample_link};
use super::{LinkConfig, LoginConfig, Problem};

/// What an override begins with.
pub const ENV_PREFIX: &str = "SCRUTINEER__";

impl Reader {
    /// Sets one key from the environment.
    pub(super) fn override_by(&mut self, table: &mut Table, name: &str, value: &str) {
        let path: Vec<String> = name.trim_start_matches(ENV_PREFIX).split("__").map(str::to_ascii_lowercase).collect();
        let bad = |what: String, mend: &str| Problem {
            place: format!("environment {name}"),
            key: String::new(),
            what,
            mend: mend.to_owned(),
        };
        let (key, target) = match path.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
            ["link", which, key] => {
                let links = table.get_mut("link").and_then(Value::as_array_mut);
                let found = links.and_then(|links| {
                    links.iter_mut().enumerate().find(|(i, link)| {
                        let called = link.get("name").and_then(Value::as_str).unwrap_or_default();
                        called.to_ascii_lowercase().replace('-', "_") == *which || (i + 1).to_string() == *which
                    })
                });
                match found.and_then(|(i, link)| Some((i, link.as_table_mut()?))) {
                    Some((i, link)) => (format!("link[{}].{key}", i + 1), link),
                    None => {
                        self.problems.push(bad(format!("no link is called `{which}`"), "use a link's name or number"));
                        return;
                    }
                }
            }
            [section, key] => {
                let at = table.entry((*section).to_owned()).or_insert_with(|| Value::Table(Table::new()));
                let Some(at) = at.as_table_mut() else { return };
                (format!("{section}.{key}"), at)
            }
            [section, login, key] => {
                let mut at = table;
                for step in [section, login] {
                    let next = at.entry((*step).to_owned()).or_insert_with(|| Value::Table(Table::new()));
                    let Some(next) = next.as_table_mut() else { return };
                    at = next;
                }
                (format!("{section}.{login}.{key}"), at)
            }
            _ => {
                self.problems.push(bad("names no key".to_owned(), "write SCRUTINEER__SECTION__KEY"));
                return;
            }
        };
        let last = key.rsplit('.').next().unwrap_or_default().to_owned();
        // A string where the key takes one, else what TOML makes of it.
        let as_toml = toml::from_str::<Table>(&format!("v = {value}")).ok().and_then(|mut t| t.remove("v"));
        let chosen = match as_toml {
            Some(other) if !other.is_str() && !accepts(&key, &last, &Value::String(value.to_owned())) => other,
            _ => Value::String(value.to_owned()),
        };
        target.insert(last, chosen);
        self.places.note_env(key, name);
    }
}

/// Would this key take this value?
fn accepts(path: &str, key: &str, value: &Value) -> bool {
    let mut probe = if path.starts_with("link[") { sample_link() } else { Table::new() };
    probe.insert(key.to_owned(), value.clone());
    match path.split(['.', '[']).next() {
        Some("log") => probe.try_into::<super::LogConfig>().is_ok(),
        Some("gateway") => probe.try_into::<super::GatewayConfig>().is_ok(),
        Some("worker") => probe.try_into::<super::WorkerConfig>().is_ok(),
        Some("web") => probe.try_into::<super::WebConfig>().is_ok(),
        Some("link") => probe.try_into::<LinkConfig>().is_ok(),
        Some("database") if path.matches('.').count() == 2 => probe.try_into::<LoginConfig>().is_ok(),
        Some("database") => probe.try_into::<super::DatabaseConfig>().is_ok(),
        _ => false,
    }
}
