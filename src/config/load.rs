//! From file and environment to a [`Config`]: finds every unknown key, wrong type and missing key,
//! with its line, before anything is used.
//!
//! A key is overridden by `SCRUTINEER__SECTION__KEY`, for example
//! `SCRUTINEER__DATABASE__WORKER__PASSWORD`; a link's by its name or its number from 1, dashes as
//! underscores: `SCRUTINEER__LINK__NORTH_1__PASSWORD`. Lists and the like are written as TOML.

use std::path::Path;

use serde::de::DeserializeOwned;
use toml::de::DeTable;
use toml::{Table, Value};

use super::check::Checker;
use super::places::{Places, join, line_of};
use super::{Config, ConfigError, ENV_PREFIX, LinkConfig, LoginConfig, Part, Problem, keys};

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

/// Reads one file, and gathers what is wrong.
pub(super) struct Reader {
    pub(super) places: Places,
    pub(super) problems: Vec<Problem>,
}

impl Reader {
    /// The file as a table, with the line of each key noted. `None` when it isn't TOML.
    fn parse(&mut self, text: &str) -> Option<Table> {
        let (parsed, errors) = DeTable::parse_recoverable(text);
        for error in &errors {
            let line = error.span().map_or(1, |span| line_of(text, span.start));
            self.problems.push(Problem {
                place: format!("{}:{line}", self.places.file()),
                key: String::new(),
                what: format!("not TOML: {}", error.message().lines().collect::<Vec<_>>().join(", ")),
                mend: "see https://toml.io".to_owned(),
            });
        }
        if !errors.is_empty() {
            return None;
        }
        self.places.note_file(text, parsed.get_ref());
        toml::from_str::<Table>(text)
            .map_err(|e| self.problems.push(self.places.problem("", e.message().to_owned(), "see https://toml.io")))
            .ok()
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
        "prefixes" => "write a list of strings, for example [\"2547\"]",
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
pub(super) fn sample_link() -> Table {
    let mut link = Table::new();
    for key in ["name", "host", "system_id"] {
        link.insert(key.to_owned(), Value::String("x".to_owned()));
    }
    link.insert("port".to_owned(), Value::Integer(1));
    link.insert("numbers".to_owned(), Value::Array(vec![Value::String("1".to_owned())]));
    link
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
