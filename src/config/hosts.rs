//! One host, or several in a list: `"db1"`, `["db1", "db2:5433", "[2001:db8::1]:5432", "/run/postgresql"]`.

use std::net::IpAddr;

use serde::de::{Error, SeqAccess, Visitor};
use serde::ser::SerializeSeq;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A server's name and, where it was given with the name, its port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostName {
    /// Host name, address, or a socket's folder (begins with `/`).
    pub name: String,
    /// Port.
    pub port: Option<u16>,
}

impl HostName {
    /// Is it a socket's folder, or loopback?
    pub fn is_local(&self) -> bool {
        self.name.starts_with('/')
            || self.name.eq_ignore_ascii_case("localhost")
            || self.name.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
    }

    /// Reads `name`, `name:port` or `[address]:port`. An error says what is wrong.
    fn read(text: &str) -> Result<Self, String> {
        let port = |port: &str| match port.parse::<u16>() {
            Ok(port) if port > 0 => Ok(Some(port)),
            _ => Err(format!("`{text}`: `{port}` is not a port")),
        };
        let (name, port) = match text.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
            _ if text.starts_with('/') || text.parse::<IpAddr>().is_ok() => (text, None),
            Some((address, "")) => (address, None),
            Some((address, rest)) if rest.starts_with(':') => (address, port(rest.trim_start_matches(':'))?),
            _ => match text.split_once(':') {
                Some((name, rest)) => (name, port(rest)?),
                None => (text, None),
            },
        };
        // A list that came as one string is meant as a list.
        if name.chars().any(|c| c.is_whitespace() || matches!(c, ',' | '[' | ']' | '"')) {
            return Err(format!("`{text}` is not a host"));
        }
        Ok(Self { name: name.to_owned(), port })
    }
}

impl std::fmt::Display for HostName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.port {
            None => f.write_str(&self.name),
            Some(port) if self.name.contains(':') => write!(f, "[{}]:{port}", self.name),
            Some(port) => write!(f, "{}:{port}", self.name),
        }
    }
}

/// The hosts of a database, in the order in which they are tried.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hosts(Vec<HostName>);

impl Hosts {
    /// One, its port not named.
    pub fn one(name: &str) -> Self {
        Self(vec![HostName { name: name.to_owned(), port: None }])
    }

    /// All.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &HostName> {
        self.0.iter()
    }
}

impl Serialize for Hosts {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if let [one] = self.0.as_slice() {
            return serializer.collect_str(one);
        }
        let mut list = serializer.serialize_seq(Some(self.0.len()))?;
        for host in &self.0 {
            list.serialize_element(&host.to_string())?;
        }
        list.end()
    }
}

impl<'de> Deserialize<'de> for Hosts {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Read;
        impl<'de> Visitor<'de> for Read {
            type Value = Hosts;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a host, or a list of hosts")
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Hosts, E> {
                Ok(Hosts(vec![HostName::read(text).map_err(E::custom)?]))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Hosts, A::Error> {
                let mut hosts = Vec::new();
                while let Some(text) = list.next_element::<String>()? {
                    hosts.push(HostName::read(&text).map_err(A::Error::custom)?);
                }
                Ok(Hosts(hosts))
            }
        }
        deserializer.deserialize_any(Read)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_are_read_with_and_without_ports_and_written_as_they_were_read() {
        for (text, name, port) in [
            ("db1", "db1", None),
            ("db1.example.org:5433", "db1.example.org", Some(5433)),
            ("10.0.0.7:5433", "10.0.0.7", Some(5433)),
            ("2001:db8::1", "2001:db8::1", None),
            ("[2001:db8::1]:5433", "2001:db8::1", Some(5433)),
            ("/run/postgresql", "/run/postgresql", None),
        ] {
            let host = HostName::read(text).unwrap();
            assert_eq!((host.name.as_str(), host.port), (name, port), "{text}");
            assert_eq!(host.to_string(), text);
        }
        for text in ["db1:x", "db1:0", "db1:70000", "db1, db2", "[\"db1\"]", "db1:1:2"] {
            assert!(HostName::read(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_host_is_local_by_its_own_name_alone() {
        let local = ["/run/postgresql", "localhost", "127.0.0.1:1", "::1", "db1", "10.0.0.1:5432"]
            .map(|text| HostName::read(text).unwrap().is_local());
        assert_eq!(local, [true, true, true, true, false, false]);
    }
}
