//! `scrutineer observer`: import an election's observers with their phones, and list them.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use super::import::{Field, Mapping, Progress, Reporter, Row, Table, read_table};
use crate::config::{Config, Part};
use crate::domain::auth::is_auth_code;
use crate::domain::location::BadLine;
use crate::domain::phone;
use crate::limits::{IMPORT_DEADLINE_SECONDS, OBSERVERS_MAX};
use crate::role::support;
use crate::store::auth::{self, Whose};
use crate::store::election;
use crate::store::observer::{self, ObserverRow};

/// ITU-T E.164: an international number has at most 15 digits.
const PHONE_DIGITS_MAX: usize = 15;
/// No country has shorter ones with its code.
const PHONE_DIGITS_MIN: usize = 7;

/// Arguments.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Import observers from a CSV file, all or none; those that are there already are updated
    Import {
        /// Short name of the election
        election: String,
        /// CSV file: code, name, phone (several by space or ;, or phone2 …), language, station, auth_code
        file: PathBuf,
        /// Which column is which field: "Column=field"; may be repeated
        #[arg(long)]
        map: Vec<Mapping>,
        /// Country code that stands for the 0 that national numbers begin with, for example 255
        #[arg(long, value_parser = country_code)]
        country_code: Option<String>,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Give an observer, or all that have none, a new authentication code, and print it: it is kept as a hash
    /// only. One that the observers have already is imported with column auth_code
    Code {
        /// Short name of the election
        election: String,
        /// Observer code
        #[arg(required_unless_present = "missing", conflicts_with = "missing")]
        observer: Option<String>,
        /// All observers that have none, as CSV: code, auth_code
        #[arg(long)]
        missing: bool,
        /// Digits of a code
        #[arg(long, default_value_t = 6, value_parser = clap::value_parser!(u8).range(4..=8))]
        digits: u8,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Forget wrong authentication codes meant for an observer or sent from the observer's phones, so that
    /// reports are taken again at once
    Unlock {
        /// Short name of the election
        election: String,
        /// Observer code
        observer: String,
    },
    /// List an election's observers
    List {
        /// Short name of the election
        election: String,
        /// Begin after this code
        #[arg(long, default_value = "")]
        after: String,
        /// How many, at most
        #[arg(long, default_value_t = 1000, value_parser = clap::value_parser!(i64).range(1..=200_000))]
        limit: i64,
        /// Show phone numbers in full
        #[arg(long)]
        show_phones: bool,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
}

pub(super) fn country_code(text: &str) -> Result<String, String> {
    let digits = text.trim_start_matches('+').trim_start_matches("00");
    let sound =
        (1..=3).contains(&digits.len()) && digits.bytes().all(|b| b.is_ascii_digit()) && !digits.starts_with('0');
    if sound { Ok(digits.to_owned()) } else { Err("write 1 to 3 digits, for example 255".to_owned()) }
}

/// Runs the command.
pub fn main(config: &Path, args: Args) -> ExitCode {
    support::run_command(config, Part::Owner, async move |config| run(&config, args.command).await)
}

async fn run(config: &Config, command: Command) -> anyhow::Result<ExitCode> {
    match command {
        Command::Import { election, file, map, country_code, json } => {
            import(config, &election, &file, &map, country_code.as_deref(), json).await
        }
        Command::Code { election, observer, missing: _, digits, json } => {
            let store = support::open_owner(config).await?;
            let whose = observer.as_deref().map_or(Whose::Missing, Whose::One);
            let codes = auth::renew(&store, &election, whose, &|| new_code(digits)).await?;
            if let Some(observer) = observer.filter(|_| codes.is_empty()) {
                anyhow::bail!("there is no observer {observer} in election {election}");
            }
            if json {
                let rows = codes.iter().map(|(code, auth)| serde_json::json!({"code": code, "auth_code": auth}));
                support::print_json(&rows.collect::<Vec<_>>())?;
            } else {
                println!("code,auth_code");
                codes.iter().for_each(|(code, auth)| println!("{code},{auth}"));
            }
            Ok(ExitCode::SUCCESS)
        }
        Command::Unlock { election, observer } => {
            let store = support::open_owner(config).await?;
            election::find(&store, &election).await?;
            match auth::unlock(&store, &election, &observer).await? {
                None => anyhow::bail!("there is no observer {observer} in election {election}"),
                Some(0) => println!("observer {observer}: nothing was on record"),
                Some(_) => println!("observer {observer}: unlocked"),
            }
            Ok(ExitCode::SUCCESS)
        }
        Command::List { election, after, limit, show_phones, json } => {
            let store = support::open_owner(config).await?;
            let id = election::find(&store, &election).await?.id;
            let lines = observer::list(&store, id, &after, limit, show_phones).await?;
            if json {
                support::print_json(&lines)?;
            } else {
                for l in lines {
                    let (name, station) = (l.name.unwrap_or_default(), l.station.unwrap_or_default());
                    println!("{:<12} {:<24} {:<12} {}", l.code, name, station, l.phones.join(" "));
                }
            }
            Ok(ExitCode::SUCCESS)
        }
    }
}

/// Digits by chance.
fn new_code(digits: u8) -> String {
    (0..digits).map(|_| char::from(b'0' + rand::random_range(0..10u8))).collect()
}

async fn import(
    config: &Config,
    slug: &str,
    file: &Path,
    maps: &[Mapping],
    country: Option<&str>,
    json: bool,
) -> anyhow::Result<ExitCode> {
    let begun = Instant::now();
    let table = read_table(file, &fields(), maps)?;
    let (rows, bad) = read(&table, country);
    let reporter = Reporter { file, json, ignored: table.ignored.clone(), begun };
    if !bad.is_empty() || !table.bad.is_empty() {
        return reporter.refuse(&[table.bad, bad].concat());
    }
    anyhow::ensure!(rows.len() <= OBSERVERS_MAX, "{} observers; at most {OBSERVERS_MAX}", rows.len());
    let store = support::open_owner_for(config, Duration::from_secs(IMPORT_DEADLINE_SECONDS)).await?;
    let progress = Progress::start(rows.len(), json);
    let result = observer::import(&store, slug, &rows, &|n| progress.advance(n)).await;
    drop(progress);
    reporter.finish(result)
}

/// The observers of a file, for a trial; the first bad line is the error.
pub(super) fn rows(file: &Path, country: Option<&str>) -> anyhow::Result<Vec<ObserverRow>> {
    let table = read_table(file, &fields(), &[])?;
    let (rows, bad) = read(&table, country);
    match table.bad.iter().chain(&bad).min_by_key(|bad| bad.line) {
        Some(bad) => anyhow::bail!("{}, line {}: {}", file.display(), bad.line, bad.reason),
        None => Ok(rows),
    }
}

fn fields() -> Vec<Field> {
    vec![
        Field::new("auth_code", &["authentication_code", "secret_code", "pin", "secret", "password"]),
        Field::new("code", &["id", "observer", "observer_code", "observer_id"]).required(),
        Field::new("name", &["full_name", "observer_name"]),
        Field::new("phone", &["phones", "mobile", "msisdn", "telephone", "phone_number", "number"]).several(),
        Field::new("language", &["lang", "locale"]),
        Field::new(
            "station",
            &["station_code", "polling_station", "polling_station_code", "location", "location_code"],
        ),
    ]
}

fn read(table: &Table, country: Option<&str>) -> (Vec<ObserverRow>, Vec<BadLine>) {
    let (mut rows, mut bad) = (Vec::new(), Vec::new());
    let mut seen: HashMap<String, u64> = HashMap::new();
    for row in &table.rows {
        let mut wrong = |reason: String| bad.push(BadLine { line: row.line, reason });
        let code = table.cell(row, "code").to_owned();
        if !(1..=12).contains(&code.len()) || !code.bytes().all(|b| b.is_ascii_digit()) {
            wrong(format!("observer code `{code}` is not 1 to 12 digits"));
        } else if let Some(first) = seen.insert(code.clone(), row.line) {
            wrong(format!("observer code `{code}` stands on line {first} too; codes are unique"));
        }
        let language = optional(table, row, "language").map(|given| {
            given.and_then(|text| {
                super::election::language(&text).map_err(|why| wrong(format!("language `{text}`: {why}"))).ok()
            })
        });
        let auth_code = optional(table, row, "auth_code");
        if auth_code.iter().flatten().any(|code| !is_auth_code(code)) {
            // The cell itself is not shown.
            wrong("the authentication code is not 4 to 8 digits".to_owned());
        }
        let mut phones = Vec::new();
        for cell in table.cells(row, "phone") {
            for result in split_phones(cell, country) {
                match result {
                    Ok(number) if phones.contains(&number) => {}
                    Ok(number) => phones.push(number),
                    Err(reason) => wrong(reason),
                }
            }
        }
        rows.push(ObserverRow {
            line: row.line,
            code,
            name: optional(table, row, "name"),
            phones: table.has("phone").then_some(phones),
            language,
            station: optional(table, row, "station"),
            auth_code,
        });
    }
    (rows, bad)
}

/// A cell; the outer `None` when the file has no such column, the inner when the cell is empty.
fn optional(table: &Table, row: &Row, field: &str) -> Option<Option<String>> {
    table.has(field).then(|| Some(table.cell(row, field).to_owned()).filter(|text| !text.is_empty()))
}

/// The numbers in a cell. Several are separated by `;`, `,`, `/` or spaces; but spaces within one
/// number, as people write them, don't part it: a part too short to be a number belongs to the next.
fn split_phones(cell: &str, country: Option<&str>) -> Vec<Result<String, String>> {
    let mut numbers = Vec::new();
    for part in cell.split([';', ',', '/', '|']).map(str::trim).filter(|p| !p.is_empty()) {
        let words: Vec<&str> = part.split_whitespace().collect();
        let digits = |w: &str| w.bytes().filter(u8::is_ascii_digit).count();
        if words.len() > 1 && words.iter().all(|w| digits(w) >= PHONE_DIGITS_MIN) {
            numbers.extend(words.iter().map(|w| international(w, country)));
        } else {
            numbers.push(international(part, country));
        }
    }
    numbers
}

/// Digits only, with the country code in place of a leading 0.
fn international(text: &str, country: Option<&str>) -> Result<String, String> {
    let mut number = phone::normalise(text);
    if !number.bytes().all(|b| b.is_ascii_digit()) {
        return Err(format!("phone `{text}` is not a number; write digits, with the country code"));
    }
    if number.starts_with('0') {
        number = match country {
            Some(country) => format!("{country}{}", number.trim_start_matches('0')),
            None => {
                return Err(format!(
                    "phone `{text}` begins with 0; add --country-code, or write it with the country code"
                ));
            }
        };
    }
    if !(PHONE_DIGITS_MIN..=PHONE_DIGITS_MAX).contains(&number.len()) {
        return Err(format!(
            "phone `{text}` has {} digits, not {PHONE_DIGITS_MIN} to {PHONE_DIGITS_MAX}",
            number.len()
        ));
    }
    Ok(number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn phones_become_digits_with_the_country_code() {
        let tz = |cell: &str| split_phones(cell, Some("255")).into_iter().collect::<Result<Vec<_>, _>>();
        assert_eq!(tz("+255 712 345 678").unwrap(), ["255712345678"]);
        assert_eq!(tz("0712345678; 00255-713-345678").unwrap(), ["255712345678", "255713345678"]);
        assert_eq!(tz("255712345678 255713345678").unwrap(), ["255712345678", "255713345678"]);
        assert_eq!(tz("").unwrap(), Vec::<String>::new());
        assert!(tz("12345").unwrap_err().contains("5 digits"));
        assert!(tz("call me").unwrap_err().contains("not a number"));
        assert!(split_phones("0712345678", None)[0].as_ref().unwrap_err().contains("--country-code"));
    }
}
