//! `scrutineer location`: import an election's hierarchy of locations, and list it.
//!
//! Two forms of a file: one line a location (`code, name, level, parent, registered_voters`), or,
//! with `--levels region,district,station`, one line a station with columns for each level.

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use super::import::{Field, Mapping, Progress, Reporter, Row, Table, read_table};
use crate::config::{Config, Part};
use crate::domain::location::{BadLine, FIGURE_MAX, LocationRow};
use crate::limits::{IMPORT_DEADLINE_SECONDS, LOCATIONS_MAX};
use crate::role::support;
use crate::store::{election, location};

/// Arguments.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Import locations from a CSV file, all or none; those that are there already are updated
    Import {
        /// Short name of the election
        election: String,
        /// CSV file: code, name, level, parent, registered_voters
        file: PathBuf,
        /// One line a station, with a column (and, if you have it, a code column) for each of these levels, from the top
        #[arg(long, value_delimiter = ',')]
        levels: Vec<String>,
        /// Which column is which field: "Column=field"; may be repeated
        #[arg(long)]
        map: Vec<Mapping>,
        /// A further column of whole numbers that the checklists' rules refer to by this name, for example
        /// ballots_issued; may be repeated
        #[arg(long, value_name = "NAME", value_parser = figure)]
        figure: Vec<String>,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// List an election's locations
    List {
        /// Short name of the election
        election: String,
        /// Begin after this code
        #[arg(long, default_value = "")]
        after: String,
        /// How many, at most
        #[arg(long, default_value_t = 1000, value_parser = clap::value_parser!(i64).range(1..=100_000))]
        limit: i64,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
}

const VOTERS: &[&str] = &["registered", "voters", "electors", "registered_electors", "number_of_registered_voters"];

/// Runs the command.
pub fn main(config: &Path, args: Args) -> ExitCode {
    support::run_command(config, Part::Owner, async move |config| run(&config, args.command).await)
}

async fn run(config: &Config, command: Command) -> anyhow::Result<ExitCode> {
    match command {
        Command::Import { election, file, levels, map, figure, json } => {
            import(config, &election, &file, &Columns { levels, map, figures: figure }, json).await
        }
        Command::List { election, after, limit, json } => {
            let store = support::open_owner(config).await?;
            let id = election::find(&store, &election).await?.id;
            let lines = location::list(&store, id, &after, limit).await?;
            if json {
                support::print_json(&lines)?;
            } else {
                for l in lines {
                    let parent = l.parent.map_or(String::new(), |p| format!(" in {p}"));
                    let voters = l.registered_voters.map_or(String::new(), |v| format!(", {v} registered"));
                    println!("{:<16} {} ({}{parent}{voters})", l.code, l.name, l.level);
                }
            }
            Ok(ExitCode::SUCCESS)
        }
    }
}

async fn import(config: &Config, slug: &str, file: &Path, columns: &Columns, json: bool) -> anyhow::Result<ExitCode> {
    let begun = Instant::now();
    let Columns { levels, map: maps, figures } = columns;
    let also = |fields: Vec<Field>| -> Vec<Field> {
        fields.into_iter().chain(figures.iter().map(|name| Field::new(name, &[]).required())).collect()
    };
    let (table, (rows, bad)) = if levels.is_empty() {
        let table = read_table(file, &also(tall_fields()), maps)?;
        let read = tall(&table, figures);
        (table, read)
    } else {
        let table = read_table(file, &also(wide_fields(levels)?), maps)?;
        let read = wide(&table, levels, figures);
        (table, read)
    };
    let reporter = Reporter { file, json, ignored: table.ignored.clone(), begun };
    if !bad.is_empty() || !table.bad.is_empty() {
        return reporter.refuse(&[table.bad, bad].concat());
    }
    anyhow::ensure!(rows.len() <= LOCATIONS_MAX, "{} locations; at most {LOCATIONS_MAX}", rows.len());
    let store = support::open_owner_for(config, Duration::from_secs(IMPORT_DEADLINE_SECONDS)).await?;
    let progress = Progress::start(rows.len(), json);
    let result = location::import(&store, slug, &rows, &|n| progress.advance(n)).await;
    drop(progress);
    reporter.finish(result)
}

/// Which columns a file has.
struct Columns {
    levels: Vec<String>,
    map: Vec<Mapping>,
    figures: Vec<String>,
}

/// A name that a formula can refer to.
fn figure(name: &str) -> Result<String, String> {
    let sound = name.starts_with(|c: char| c.is_ascii_lowercase())
        && name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_')
        && !["code", "name", "level", "parent", "registered", "registered_voters"].contains(&name);
    if sound {
        Ok(name.to_owned())
    } else {
        Err("use lower case letters, digits and _, as in ballots_issued".to_owned())
    }
}

/// The cells of the further columns.
fn figures(
    table: &Table,
    row: &Row,
    names: &[String],
    wrong: &mut impl FnMut(String),
) -> BTreeMap<String, Option<i64>> {
    let mut figures = BTreeMap::new();
    for name in names {
        let text = table.cell(row, name);
        match text.parse::<i64>() {
            _ if text.is_empty() => drop(figures.insert(name.clone(), None)),
            Ok(number) if (0..=FIGURE_MAX).contains(&number) => drop(figures.insert(name.clone(), Some(number))),
            _ => wrong(format!("{name} `{text}` is not a whole number from 0 to {FIGURE_MAX}; write digits only")),
        }
    }
    figures
}

fn tall_fields() -> Vec<Field> {
    vec![
        Field::new("code", &["id", "location_code", "location_id"]).required(),
        Field::new("name", &["location", "location_name"]).required(),
        Field::new("level", &["type", "location_type", "kind"]).required(),
        Field::new("parent", &["parent_code", "parent_id", "in"]),
        Field::new("registered_voters", VOTERS),
    ]
}

fn tall(table: &Table, names: &[String]) -> (Vec<LocationRow>, Vec<BadLine>) {
    let (mut rows, mut bad) = (Vec::new(), Vec::new());
    for row in &table.rows {
        let mut wrong = |reason: String| bad.push(BadLine { line: row.line, reason });
        let cell = |field: &str| table.cell(row, field).to_owned();
        for field in ["code", "name", "level"] {
            if cell(field).is_empty() {
                wrong(format!("{field} is empty"));
            }
        }
        let registered_voters = voters(table, row).unwrap_or_else(|reason| {
            wrong(reason);
            None
        });
        let figures = figures(table, row, names, &mut wrong);
        let parent = Some(cell("parent")).filter(|p| !p.is_empty());
        rows.push(LocationRow {
            line: row.line,
            code: cell("code"),
            name: cell("name"),
            level: cell("level").to_lowercase(),
            parent,
            registered_voters,
            figures,
        });
    }
    (rows, bad)
}

/// The cell of registered voters; the outer `None` when the file has no such column.
fn voters(table: &Table, row: &Row) -> Result<Option<Option<i32>>, String> {
    if !table.has("registered_voters") {
        return Ok(None);
    }
    match table.cell(row, "registered_voters") {
        "" => Ok(Some(None)),
        text => match text.parse::<i32>() {
            Ok(number) if number >= 0 => Ok(Some(Some(number))),
            _ => Err(format!("registered voters `{text}` is not a whole number from 0; write digits only")),
        },
    }
}

fn wide_fields(levels: &[String]) -> anyhow::Result<Vec<Field>> {
    let levels: Vec<String> = levels.iter().map(|l| l.trim().to_lowercase()).collect();
    anyhow::ensure!(
        levels.iter().all(|l| !l.is_empty()),
        "--levels: a level is empty; write for example region,district,station"
    );
    let mut fields = Vec::new();
    for (i, level) in levels.iter().enumerate() {
        anyhow::ensure!(!levels.iter().take(i).any(|l| l == level), "--levels: `{level}` stands twice");
        let last = i + 1 == levels.len();
        let (name, code) = (format!("{level}_name"), format!("{level}_id"));
        let name_synonyms: &[&str] = if last { &[&name, "name"] } else { &[&name] };
        let code_synonyms: &[&str] = if last { &[&code, "code", "id"] } else { &[&code] };
        fields.push(Field::new(level, name_synonyms).required());
        let code_field = Field::new(&format!("{level}_code"), code_synonyms);
        fields.push(if last { code_field.required() } else { code_field });
    }
    fields.push(Field::new("registered_voters", VOTERS));
    Ok(fields)
}

/// Stations with the areas above them, each area once. An area without a code gets one made of the
/// names from the top down.
fn wide(table: &Table, levels: &[String], names: &[String]) -> (Vec<LocationRow>, Vec<BadLine>) {
    let levels: Vec<String> = levels.iter().map(|l| l.trim().to_lowercase()).collect();
    let (mut rows, mut bad): (Vec<LocationRow>, Vec<BadLine>) = (Vec::new(), Vec::new());
    let mut areas: HashMap<String, usize> = HashMap::new();
    for row in &table.rows {
        let mut wrong = |reason: String| bad.push(BadLine { line: row.line, reason });
        let registered = voters(table, row).unwrap_or_else(|reason| {
            wrong(reason);
            None
        });
        let figures = figures(table, row, names, &mut wrong);
        let (mut parent, mut names): (Option<String>, Vec<String>) = (None, Vec::new());
        for (i, level) in levels.iter().enumerate() {
            let name = table.cell(row, level).to_owned();
            if name.is_empty() {
                wrong(format!("{level} is empty"));
                break;
            }
            names.push(name.clone());
            let last = i + 1 == levels.len();
            let given = table.cell(row, &format!("{level}_code"));
            if last && given.is_empty() {
                wrong(format!("{level}_code is empty"));
                break;
            }
            let code = if given.is_empty() { names.join("/") } else { given.to_owned() };
            let location = LocationRow {
                line: row.line,
                code: code.clone(),
                name,
                level: level.clone(),
                parent: parent.replace(code.clone()),
                registered_voters: if last { registered } else { None },
                figures: if last { figures.clone() } else { BTreeMap::new() },
            };
            match areas.get(&code).and_then(|&at| rows.get(at)) {
                Some(first) if last => {
                    wrong(format!("code `{code}` stands on line {} too; codes are unique", first.line))
                }
                Some(first)
                    if first.name != location.name
                        || first.parent != location.parent
                        || first.level != location.level =>
                {
                    wrong(format!(
                        "{level} `{code}` is {} in {} here, but {} in {} on line {}",
                        location.name,
                        location.parent.as_deref().unwrap_or("nothing"),
                        first.name,
                        first.parent.as_deref().unwrap_or("nothing"),
                        first.line
                    ));
                }
                Some(_) => {}
                None => {
                    areas.insert(code, rows.len());
                    rows.push(location);
                }
            }
        }
    }
    (rows, bad)
}
