//! One installation for a test: a folder with configuration, spool and socket, on a database.

use std::path::{Path, PathBuf};

use super::pg::{Database, OWNER, WEB, WORKER};
use super::process::Process;

/// An installation. Its processes are the test's own; its files go with it.
#[derive(Debug)]
pub struct Site {
    dir: tempfile::TempDir,
    /// Where PostgreSQL is: the socket's folder and the database's name.
    pub database: Option<(PathBuf, String)>,
    /// `[[link]]` sections and whatever else stands at the end of the file.
    pub tail: String,
    /// More keys of `[gateway]`, a line each.
    pub gateway: String,
    /// More keys of `[worker]`, a line each.
    pub worker: String,
    /// `[log] filter`.
    pub log: String,
}

impl Site {
    /// On a database.
    pub fn new(database: &Database) -> Self {
        Self { database: Some((database.host.clone(), database.name.clone())), ..Self::without_database() }
    }

    /// With a `[database]` that nothing answers at.
    pub fn without_database() -> Self {
        let dir = super::dir::fresh();
        std::fs::create_dir(dir.path().join("spool")).unwrap();
        Self {
            dir,
            database: None,
            tail: String::new(),
            gateway: String::new(),
            worker: String::new(),
            log: "info".to_owned(),
        }
    }

    /// With a link named `smsc` to an SMSC on this machine.
    #[must_use]
    pub fn link(self, port: u16) -> Self {
        self.link_with("smsc", port, "")
    }

    /// With a link, and more keys for it (a line each).
    #[must_use]
    pub fn link_with(mut self, name: &str, port: u16, keys: &str) -> Self {
        let login = if keys.contains("password") { "" } else { "password = \"secret\"\n" };
        self.tail.push_str(&format!(
            "[[link]]\nname = \"{name}\"\nhost = \"127.0.0.1\"\nport = {port}\nsystem_id = \"scrutineer\"\n{login}numbers = [\"12345\"]\n{keys}\n"
        ));
        self
    }

    /// Its folder.
    pub fn path(&self) -> &Path {
        self.dir.path()
    }

    /// Folder of the gateway's spool.
    pub fn spool(&self) -> PathBuf {
        self.path().join("spool")
    }

    /// The socket between gateway and worker.
    pub fn socket(&self) -> PathBuf {
        self.path().join("gateway.sock")
    }

    /// Writes a file into its folder, whole at once: a role that starts beside others reads the same file.
    pub fn file(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path().join(name);
        let new = self.path().join(format!("{name}.{}", rand::random::<u32>()));
        std::fs::write(&new, content).unwrap();
        if let Ok(old) = path.metadata() {
            std::fs::set_permissions(&new, old.permissions()).unwrap();
        }
        std::fs::rename(&new, &path).unwrap();
        path
    }

    /// Writes the configuration file and returns its path.
    pub fn config(&self) -> PathBuf {
        let nowhere = (self.path().join("nowhere"), "nothing".to_owned());
        let (host, name) = self.database.as_ref().unwrap_or(&nowhere);
        let text = format!(
            "[log]\nfilter = \"{log}\"\n\n\
             [gateway]\nspool = \"{spool}\"\nsocket = \"{socket}\"\nmetrics = \"127.0.0.1:0\"\n{gateway}\n\
             [worker]\nmetrics = \"127.0.0.1:0\"\n{worker}\n\
             [web]\nlisten = \"127.0.0.1:0\"\nmetrics = \"127.0.0.1:0\"\nsecure_cookie = false\n\n\
             [database]\nhost = \"{host}\"\nname = \"{name}\"\n\
             owner = {{ user = \"{OWNER}\" }}\nworker = {{ user = \"{WORKER}\" }}\nweb = {{ user = \"{WEB}\" }}\n\n{tail}",
            log = self.log,
            spool = self.spool().display(),
            socket = self.socket().display(),
            gateway = self.gateway,
            worker = self.worker,
            host = host.display(),
            tail = self.tail,
        );
        self.file("scrutineer.toml", text)
    }

    /// Starts a role, and waits until it is ready.
    pub async fn start(&self, role: &str) -> Process {
        Process::start(role, &self.config()).await
    }
}
