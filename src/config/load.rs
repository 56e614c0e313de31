//! From file and environment to a [`Config`]: finds every unknown key, wrong type and missing key,
//! with its line, before anything is used.
//!
//! A key is overridden by `SCRUTINEER__SECTION__KEY`, for example
//! `SCRUTINEER__DATABASE__WORKER__PASSWORD`; a link's by its name or its number from 1, dashes as
//! underscores: `SCRUTINEER__LINK__NORTH_1__PASSWORD`. Lists and the like are written as TOML.

use std::collections::HashMap;
use std::path::Path;

use serde::de::DeserializeOwned;
use toml::de::{DeTable, DeValue};
use toml::{Table, Value};

use super::check::Checker;
use super::{Config, ConfigError, LinkConfig, LoginConfig, Part, Problem, keys};

/// What an override begins with.
pub const ENV_PREFIX: &str = "SCRUTINEER__";
/// Bytes of a configuration file.
const FILE_BYTES_MAX: u64 = 1 << 20;
/// Keys that each link must have.
const LINK_REQUIRED: [&str; 5] = ["name", "host", "port", "system_id", "numbers"];

impl Config {
    /// Reads and checks the file with the environment's overrides. Everything that is wrong is in
    /// the error. A password file that can't be read is not an error here, as each process needs
    /// only its own: see [`Config::load_for`].
    pub fn load(path: &Path) -> Result<Self, ConfigError> {
        let env = std::env::vars_os().filter_map(|(k, v)| Some((k.into_string().ok()?, v.into_string().ok()?)));
        let credentials = std::env::var_os("CREDENTIALS_DIRECTORY").map(std::path::PathBuf::from);
        Self::load_with(path, env, credentials.as_deref())
    }

    /// [`Config::load`], and what this part of the program needs must be there.
    pub fn load_for(path: &Path, part: Part) -> Result<Self, ConfigError> {
        let config = Self::load(path)?;
        config.require(part, path)?;
        Ok(config)
    }

    /// [`Config::load`] with an environment of the caller's.
    pub fn load_with(
        path: &Path,
        env: impl IntoIterator<Item = (String, String)>,
        credentials: Option<&Path>,
    ) -> Result<Self, ConfigError> {
        let whole = |what: String, mend: &str| {
            ConfigError::one(Problem {
                place: path.display().to_string(),
                key: String::new(),
                what,
                mend: mend.to_owned(),
            })
        };
        let size = std::fs::metadata(path).map_err(|e| {
            whole(format!("can't be read: {e}"), "name the configuration file with --config, and let this user read it")
        })?;
        if size.len() > FILE_BYTES_MAX {
            return Err(whole(format!("is longer than {FILE_BYTES_MAX} bytes"), "is it the right file?"));
        }
        let text = std::fs::read_to_string(path)
            .map_err(|e| whole(format!("can't be read: {e}"), "it must be UTF-8 text that this user can read"))?;
        let mut reader = Reader { places: Places::new(path), problems: Vec::new() };
        let Some(mut table) = reader.parse(&text) else { return Err(ConfigError { problems: reader.problems }) };
        let mut env: Vec<(String, String)> = env.into_iter().filter(|(k, _)| k.starts_with(ENV_PREFIX)).collect();
        env.sort();
        for (name, value) in env {
            reader.override_by(&mut table, &name, &value);
        }
        let (mut config, link_numbers) = reader.read(table);
        let mut checker = Checker::new(&reader.places, path.parent().unwrap_or(Path::new(".")), credentials);
        checker.check(&mut config, &link_numbers);
        reader.problems.append(&mut checker.errors);
        config.warnings = std::mem::take(&mut checker.warnings);
        if reader.problems.is_empty() { Ok(config) } else { Err(reader.places.sorted(reader.problems)) }
    }
}

/// Where each key was set.
#[derive(Debug)]
pub(super) struct Places {
    file: String,
    lines: HashMap<String, usize>,
    env: HashMap<String, String>,
}

impl Places {
    fn new(path: &Path) -> Self {
        Self { file: path.display().to_string(), lines: HashMap::new(), env: HashMap::new() }
    }

    /// A problem with a key, placed at the key or at the nearest thing above it.
    pub(super) fn problem(&self, key: &str, what: impl Into<String>, mend: impl Into<String>) -> Problem {
        let place = match self.env.get(key) {
            Some(name) => format!("environment {name}"),
            None => {
                let mut at = key;
                loop {
                    if let Some(line) = self.lines.get(at) {
                        break format!("{}:{line}", self.file);
                    }
                    match at.rfind('.') {
                        Some(dot) => at = at.get(..dot).unwrap_or(""),
                        None => break self.file.clone(),
                    }
                }
            }
        };
        Problem { place, key: key.to_owned(), what: what.into(), mend: mend.into() }
    }

    /// Was this key set by the environment?
    pub(super) fn is_from_env(&self, key: &str) -> bool {
        self.env.contains_key(key)
    }

    /// In the order of the file; what stands in no line comes last.
    fn sorted(&self, mut problems: Vec<Problem>) -> ConfigError {
        let line = |p: &Problem| {
            p.place.strip_prefix(&self.file).and_then(|rest| rest.strip_prefix(':')?.parse::<usize>().ok())
        };
        problems.sort_by_key(|p| line(p).unwrap_or(usize::MAX));
        ConfigError { problems }
    }
}

struct Reader {
    places: Places,
    problems: Vec<Problem>,
}

impl Reader {
    /// The file as a table, with the line of each key noted. `None` when it isn't TOML.
    fn parse(&mut self, text: &str) -> Option<Table> {
        let (parsed, errors) = DeTable::parse_recoverable(text);
        for error in &errors {
            let line = error.span().map_or(1, |span| line_of(text, span.start));
            self.problems.push(Problem {
                place: format!("{}:{line}", self.places.file),
                key: String::new(),
                what: format!("not TOML: {}", error.message().lines().collect::<Vec<_>>().join(", ")),
                mend: "see https://toml.io".to_owned(),
            });
        }
        if !errors.is_empty() {
            return None;
        }
        note_lines(text, parsed.get_ref(), "", &mut self.places.lines);
        toml::from_str::<Table>(text)
            .map_err(|e| self.problems.push(self.places.problem("", e.message().to_owned(), "see https://toml.io")))
            .ok()
    }

    /// Sets one key from the environment.
    fn override_by(&mut self, table: &mut Table, name: &str, value: &str) {
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
        self.places.env.insert(key, name.to_owned());
    }

    /// Checks every key, drops the bad ones, and makes a configuration of the rest, so that further
    /// checks can go on. Gives the links' numbers in the file too.
    fn read(&mut self, mut table: Table) -> (Config, Vec<usize>) {
        self.known_only::<Config>("", &mut table);
        let links = match table.remove("link") {
            Some(Value::Array(links)) => links,
            None => Vec::new(),
            Some(_) => {
                self.problems.push(self.places.problem("link", "is not a list of tables", "write [[link]] above each"));
                Vec::new()
            }
        };
        for section in ["log", "gateway", "worker", "web", "database"] {
            let Some(value) = table.remove(section) else { continue };
            let Value::Table(mut keys) = value else {
                self.problems.push(self.places.problem(section, "is not a table", format!("write [{section}]")));
                continue;
            };
            match section {
                "log" => self.check_keys::<super::LogConfig>(section, &mut keys, &Table::new()),
                "gateway" => self.check_keys::<super::GatewayConfig>(section, &mut keys, &Table::new()),
                "worker" => self.check_keys::<super::WorkerConfig>(section, &mut keys, &Table::new()),
                "web" => self.check_keys::<super::WebConfig>(section, &mut keys, &Table::new()),
                _ => {
                    for login in ["owner", "worker", "web"] {
                        if let Some(Value::Table(inner)) = keys.get_mut(login) {
                            let mut taken = std::mem::take(inner);
                            // A login of which only the password is named keeps its default user.
                            taken.entry("user").or_insert_with(|| Value::String(default_user(login)));
                            self.check_keys::<LoginConfig>(&format!("database.{login}"), &mut taken, &Table::new());
                            keys.insert(login.to_owned(), Value::Table(taken));
                        }
                    }
                    self.check_keys::<super::DatabaseConfig>(section, &mut keys, &Table::new());
                }
            }
            table.insert(section.to_owned(), Value::Table(keys));
        }
        let mut config: Config = table.try_into().unwrap_or_else(|e: toml::de::Error| {
            self.problems.push(self.places.problem("", e.message().to_owned(), "correct it"));
            Config::default()
        });
        let mut numbers = Vec::new();
        for (i, link) in links.into_iter().enumerate() {
            if let Some(link) = self.read_link(&format!("link[{}]", i + 1), link) {
                config.link.push(link);
                numbers.push(i + 1);
            }
        }
        (config, numbers)
    }

    fn read_link(&mut self, path: &str, link: Value) -> Option<LinkConfig> {
        let Value::Table(mut keys) = link else {
            self.problems.push(self.places.problem(path, "is not a table", "write [[link]] above each link"));
            return None;
        };
        for key in LINK_REQUIRED {
            if !keys.contains_key(key) {
                self.problems.push(self.places.problem(
                    &format!("{path}.{key}"),
                    "is missing",
                    "every link needs name, host, port, system_id and numbers",
                ));
            }
        }
        self.check_keys::<LinkConfig>(path, &mut keys, &sample_link());
        // What is missing was named above; a link that lacks nothing else is checked further.
        keys.try_into().ok()
    }

    fn known_only<T: DeserializeOwned>(&mut self, path: &str, table: &mut Table) {
        let known = keys::known::<T>();
        let unknown: Vec<String> = table.keys().filter(|k| !known.contains(&k.as_str())).cloned().collect();
        for key in unknown {
            table.remove(&key);
            let full = join(path, &key);
            let mend = match keys::nearest(&key, known) {
                Some(near) => format!("did you mean `{near}`?"),
                None if path.is_empty() => format!("there are [{}]", known.join("], [")),
                None => format!("it may have {}", known.join(", ")),
            };
            self.problems.push(self.places.problem(&full, "unknown key", mend));
        }
    }

    fn check_keys<T: DeserializeOwned>(&mut self, path: &str, table: &mut Table, filler: &Table) {
        self.known_only::<T>(path, table);
        let mut bad = Vec::new();
        for (key, value) in table.iter() {
            let mut probe = filler.clone();
            probe.insert(key.clone(), value.clone());
            if let Err(error) = probe.try_into::<T>() {
                // The message may quote the value.
                let what = if key.contains("password") { "is not a string".to_owned() } else { plain(error.message()) };
                self.problems.push(self.places.problem(&join(path, key), what, mend_type(key)));
                bad.push(key.clone());
            }
        }
        for key in bad {
            table.remove(&key);
        }
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

/// serde's message without the names of Rust's types.
fn plain(message: &str) -> String {
    let message = message.trim_end().replace('\n', ", ").replace("unknown variant", "unknown word");
    match message.rsplit_once("expected ") {
        Some((before, "u16")) => format!("{before}expected a whole number from 0 to 65535"),
        Some((before, "u32" | "u64")) => format!("{before}expected a whole number from 0"),
        _ => message,
    }
}

fn mend_type(key: &str) -> &'static str {
    match key {
        "host" => "write a name, or several: [\"db1\", \"db2:5433\"]",
        "metrics" | "listen" => "write address and port as one string, for example \"127.0.0.1:9471\"",
        "numbers" => "write a list of strings, for example [\"15100\"]",
        "port" => "write a whole number from 1 to 65535, without quotes",
        "lanes" => "write a whole number, without quotes",
        k if k.ends_with("_seconds") || k.ends_with("_hours") || k.contains("_max") || k.ends_with("_window") => {
            "write a whole number, without quotes"
        }
        k if k.contains("password") => "write it in quotes",
        _ => "see this key in config/scrutineer.toml",
    }
}

fn default_user(login: &str) -> String {
    let logins = super::DatabaseConfig::default();
    match login {
        "worker" => logins.worker.user,
        "web" => logins.web.user,
        _ => logins.owner.user,
    }
}

/// The least that makes a link, to try single keys in.
fn sample_link() -> Table {
    let mut link = Table::new();
    for key in ["name", "host", "system_id"] {
        link.insert(key.to_owned(), Value::String("x".to_owned()));
    }
    link.insert("port".to_owned(), Value::Integer(1));
    link.insert("numbers".to_owned(), Value::Array(vec![Value::String("1".to_owned())]));
    link
}

fn join(path: &str, key: &str) -> String {
    if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") }
}

fn line_of(text: &str, offset: usize) -> usize {
    text.bytes().take(offset).filter(|b| *b == b'\n').count() + 1
}

fn note_lines(text: &str, table: &DeTable<'_>, path: &str, lines: &mut HashMap<String, usize>) {
    for (key, value) in table.iter() {
        let full = join(path, key.get_ref());
        lines.insert(full.clone(), line_of(text, key.span().start));
        match value.get_ref() {
            DeValue::Table(inner) => note_lines(text, inner, &full, lines),
            DeValue::Array(list) => {
                for (i, item) in list.iter().enumerate() {
                    let at = format!("{full}[{}]", i + 1);
                    lines.insert(at.clone(), line_of(text, item.span().start));
                    if let DeValue::Table(inner) = item.get_ref() {
                        note_lines(text, inner, &at, lines);
                    }
                }
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn load(text: &str, env: &[(&str, &str)]) -> Result<Config, ConfigError> {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("s.toml");
        std::fs::write(&file, text).unwrap();
        let env = env.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned()));
        Config::load_with(&file, env, None)
    }

    const LINK: &str =
        "[[link]]\nname = \"north-1\"\nhost = \"h\"\nport = 2775\nsystem_id = \"me\"\nnumbers = [\"151\"]\n";

    #[test]
    fn an_empty_file_gives_the_defaults() {
        let config = load("", &[]).unwrap();
        assert_eq!(config.worker.lanes, 4);
        assert_eq!(config.database.web.user, "scrutineer-web");
    }

    #[test]
    fn the_environment_overrides_any_key_with_the_type_that_it_has() {
        let config = load(
            LINK,
            &[
                ("SCRUTINEER__DATABASE__WORKER__PASSWORD", "12345678"),
                ("SCRUTINEER__DATABASE__HOST", "10.0.0.1"),
                ("SCRUTINEER__DATABASE__PORT", "6432"),
                ("SCRUTINEER__LINK__NORTH_1__PASSWORD", "\"quoted\""),
                ("SCRUTINEER__LINK__1__NUMBERS", "[\"15100\", \"+4479\"]"),
                ("SCRUTINEER__WEB__SECURE_COOKIE", "false"),
                ("SCRUTINEER__WEB__LISTEN", "127.0.0.1:0"),
                ("SCRUTINEER_CONFIG", "not an override"),
            ],
        )
        .unwrap();
        assert_eq!(config.database.worker.password.reveal(), "12345678");
        assert_eq!(config.database.worker.user, "scrutineer-worker");
        assert_eq!((&config.database.host, config.database.port), (&super::super::Hosts::one("10.0.0.1"), 6432));
        let link = &config.link[0];
        assert_eq!(link.password.reveal(), "\"quoted\"");
        assert_eq!(link.numbers, ["15100", "+4479"]);
        assert!(!config.web.secure_cookie);
        assert_eq!(config.web.listen.port(), 0);
    }

    #[test]
    fn an_override_that_is_wrong_is_named_by_its_variable() {
        let error =
            load("", &[("SCRUTINEER__WORKER__LANES", "many"), ("SCRUTINEER__LINK__WEST__HOST", "h")]).unwrap_err();
        let text = error.to_string();
        assert!(text.contains("environment SCRUTINEER__WORKER__LANES: worker.lanes: "), "{text}");
        assert!(text.contains("environment SCRUTINEER__LINK__WEST__HOST: no link is called `west`"), "{text}");
    }

    #[test]
    fn everything_wrong_is_named_at_once_in_the_order_of_the_file_and_passwords_are_not() {
        let text = "[worker]\nlanes = 99\n[databse]\n[database]\nport = \"x\"\nowner = { password = 87654321 }\n";
        let error = load(text, &[]).unwrap_err();
        let keys: Vec<&str> = error.problems.iter().map(|p| p.key.as_str()).collect();
        assert_eq!(keys, ["worker.lanes", "databse", "database.port", "database.owner.password"]);
        assert!(!error.to_string().contains("87654321"));
        assert!(error.to_string().contains("did you mean `database`?"));
    }

    #[test]
    fn a_password_file_is_read_and_only_the_part_that_needs_it_minds_its_absence() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("s.toml");
        let credentials = folder.path().join("credentials");
        std::fs::create_dir(&credentials).unwrap();
        std::fs::write(credentials.join("worker"), "s3cret\n").unwrap();
        std::fs::write(
            &file,
            "[database]\nworker.password_file = \"worker\"\nweb.password_file = \"web\"\nowner.password = \"x\"\n",
        )
        .unwrap();
        let config = Config::load_with(&file, [], Some(&credentials)).unwrap();
        assert_eq!(config.database.worker.password.reveal(), "s3cret");
        config.require(Part::Worker, &file).unwrap();
        config.require(Part::Owner, &file).unwrap();
        let error = config.require(Part::Web, &file).unwrap_err().to_string();
        assert!(error.contains("s.toml:3: database.web.password_file: "), "{error}");
        assert!(config.database.connect_options(super::super::Login::Web, 1).is_err());
        assert!(!format!("{config:?}").contains("s3cret"));
    }
}
