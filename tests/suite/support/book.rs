//! An election as a group would set it up: files, imported by the program's own commands.

use serde_json::Value;

use super::process;
use super::site::Site;

/// One location.
#[derive(Debug, Clone)]
pub struct Place {
    /// Code, unique.
    pub code: String,
    /// Name.
    pub name: String,
    /// Level, for example `station`.
    pub level: &'static str,
    /// Code of the one above.
    pub parent: String,
    /// Registered voters, for stations.
    pub registered_voters: Option<u32>,
}

/// One observer.
#[derive(Debug, Clone)]
pub struct Watcher {
    /// Digits.
    pub code: String,
    /// Phone, international, digits.
    pub phone: String,
    /// Code of the station.
    pub station: String,
}

/// An election.
#[derive(Debug)]
pub struct Book {
    /// Short name.
    pub slug: &'static str,
    /// Locations, parents first.
    pub places: Vec<Place>,
    /// Observers.
    pub watchers: Vec<Watcher>,
    /// Checklists, as their files have them.
    pub checklists: Vec<Value>,
    /// More arguments of `election create`.
    pub options: &'static [&'static str],
}

impl Book {
    /// Creates, fills and opens the election by the program's commands.
    pub async fn set_up(&self, site: &Site) {
        let config = site.config();
        let name = format!("Election {}", self.slug);
        let create = ["election", "create", self.slug, "--name", &name];
        process::ok(&config, create.iter().chain(self.options)).await;
        let mut csv = String::from("code,name,level,parent,registered_voters\n");
        for p in &self.places {
            let registered = p.registered_voters.map(|n| n.to_string()).unwrap_or_default();
            csv.push_str(&format!("{},{},{},{},{registered}\n", p.code, quoted(&p.name), p.level, p.parent));
        }
        let file = site.file("locations.csv", csv).display().to_string();
        process::ok(&config, ["location", "import", self.slug, &file]).await;
        let mut csv = String::from("code,phone,station\n");
        for w in &self.watchers {
            csv.push_str(&format!("{},{},{}\n", w.code, w.phone, w.station));
        }
        let file = site.file("observers.csv", csv).display().to_string();
        process::ok(&config, ["observer", "import", self.slug, &file]).await;
        for checklist in &self.checklists {
            let name = format!("{}.json", checklist["prefix"].as_str().unwrap());
            let file = site.file(&name, checklist.to_string()).display().to_string();
            process::ok(&config, ["checklist", "import", self.slug, &file]).await;
        }
        process::ok(&config, ["election", "open", self.slug]).await;
    }
}

fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}
