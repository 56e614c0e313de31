//! Tests that what is shipped about the configuration says what the program does.

use std::collections::BTreeSet;

use toml::{Table, Value};

use super::{Config, DatabaseConfig, GatewayConfig, LinkConfig, LogConfig, LoginConfig, WebConfig, WorkerConfig, keys};

const FILE: &str = include_str!("../../config/scrutineer.toml");
const SCHEMA: &str = include_str!("../../schemas/config.schema.json");

/// Keys of a link that have no default: the shipped file shows an example.
const NO_DEFAULT: [&str; 6] =
    ["group", "password_file", "ca_file", "server_name", "client_certificate_file", "client_key_file"];

/// The file with its keys that have no default uncommented.
fn whole() -> Table {
    let lines = FILE.lines().map(|line| match line.strip_prefix('#') {
        Some(rest) if !rest.is_empty() && !rest.starts_with(' ') => rest,
        _ => line,
    });
    toml::from_str(&lines.collect::<Vec<_>>().join("\n")).unwrap()
}

fn sections() -> Vec<(&'static str, &'static [&'static str])> {
    vec![
        ("", keys::known::<Config>()),
        ("log", keys::known::<LogConfig>()),
        ("gateway", keys::known::<GatewayConfig>()),
        ("link", keys::known::<LinkConfig>()),
        ("worker", keys::known::<WorkerConfig>()),
        ("database", keys::known::<DatabaseConfig>()),
        ("database.owner", keys::known::<LoginConfig>()),
        ("database.worker", keys::known::<LoginConfig>()),
        ("database.web", keys::known::<LoginConfig>()),
        ("web", keys::known::<WebConfig>()),
    ]
}

#[test]
fn the_shipped_file_has_every_key_and_no_other() {
    let whole = Value::Table(whole());
    for (path, known) in sections() {
        let mut at = &whole;
        for step in path.split('.').filter(|s| !s.is_empty()) {
            at = &at[step];
            at = at.as_array().map_or(at, |list| &list[0]);
        }
        let found: BTreeSet<&str> = at.as_table().unwrap().keys().map(String::as_str).collect();
        assert_eq!(found, known.iter().copied().collect(), "[{path}]");
    }
}

#[test]
fn the_shipped_file_says_the_defaults() {
    let shipped: Config = toml::from_str(FILE).unwrap();
    assert_eq!(toml::to_string(&shipped).unwrap(), toml::to_string(&Config::default()).unwrap());
    let example = whole()["link"][0].as_table().unwrap().clone();
    let required = |key: &str| ["name", "host", "port", "system_id", "numbers"].contains(&key);
    let bare: Table = example.iter().filter(|(k, _)| required(k)).map(|(k, v)| (k.clone(), v.clone())).collect();
    let defaults = Table::try_from(bare.try_into::<LinkConfig>().unwrap()).unwrap();
    for (key, value) in &example {
        if !NO_DEFAULT.contains(&key.as_str()) {
            assert_eq!(&defaults[key], value, "{key}");
        }
    }
}

#[test]
fn the_schema_has_the_same_keys_and_defaults() {
    let schema: serde_json::Value = serde_json::from_str(SCHEMA).unwrap();
    let defaults = serde_json::to_value(Config::default()).unwrap();
    for (path, known) in sections() {
        let (mut at, mut default) = (&schema, Some(&defaults));
        for step in path.split('.').filter(|s| !s.is_empty()) {
            at = &at["properties"][step];
            at = at.get("items").unwrap_or(at);
            default = default.and_then(|d| d.get(step)).filter(|d| d.is_object());
        }
        let properties = at["properties"].as_object().unwrap();
        assert_eq!(properties.keys().map(String::as_str).collect::<BTreeSet<_>>(), known.iter().copied().collect());
        for (key, property) in properties.iter().filter(|(_, p)| p.get("default").is_some()) {
            if let Some(default) = default {
                assert_eq!(default[key], property["default"], "{path}.{key}");
            }
        }
    }
}
