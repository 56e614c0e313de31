//! The demo's folder: configuration file, roster, logs, and the program's own commands run on them.

use std::io::Write;
use std::net::SocketAddr;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::Stdio;

use anyhow::{Context, bail};
use tokio::io::AsyncWriteExt;
use tokio::process::Command;

use super::postgres::{DATABASE, OWNER, PORT};

/// Short name of the demo's election.
pub(super) const ELECTION: &str = "demo";
/// Who signs in.
pub(super) const USER: &str = "demo";
/// The number that observers text to.
pub(super) const SHORTCODE: &str = "4040";
/// `system_id` of the link.
pub(super) const SYSTEM_ID: &str = "scrutineer";
/// Lines of a log that are told when its process fails.
const LINES_TOLD: usize = 20;

/// The folder with what is in it.
pub(super) struct Site {
    dir: PathBuf,
    /// Password of the SMPP link: at most eight bytes, as SMPP has it.
    pub(super) link_password: String,
    /// Password of the person who signs in.
    pub(super) user_password: String,
    /// Password of the database's owner.
    pub(super) owner_password: String,
}

/// Letters and digits that cannot be mistaken for each other.
fn secret(length: usize) -> String {
    const SET: &[u8] = b"abcdefghjkmnpqrstuvwxyz23456789";
    let letter = || SET.get(rand::random_range(0..SET.len())).copied().unwrap_or(b'x');
    (0..length).map(|_| char::from(letter())).collect()
}

/// Writes a file that only its owner can read.
pub(super) fn write_private(path: &Path, content: &str) -> anyhow::Result<()> {
    let mut file = std::fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path)?;
    file.write_all(content.as_bytes()).with_context(|| format!("can't write {}", path.display()))
}

impl Site {
    /// Takes the folder, making it where it is not there.
    pub(super) fn new(dir: &Path) -> anyhow::Result<Self> {
        std::fs::create_dir_all(dir).with_context(|| format!("can't make {}", dir.display()))?;
        let dir = dir.canonicalize()?;
        if std::fs::read_dir(&dir)?.next().is_some() {
            bail!("{} is not empty; name a folder that is, or one that is not there yet", dir.display());
        }
        // PostgreSQL's user must get through to its own folder; the secrets are closed by themselves.
        std::fs::set_permissions(&dir, std::fs::Permissions::from_mode(0o711))?;
        let site = Self { dir, link_password: secret(8), user_password: secret(14), owner_password: secret(20) };
        // The kernel takes 107 bytes for a socket's path.
        let longest = site.postgres().join(".s.PGSQL.5432");
        if longest.as_os_str().len() > 100 {
            bail!("{} is too long for a Unix socket's path; name a shorter --dir", site.dir.display());
        }
        for folder in ["log", "spool", "roster"] {
            std::fs::DirBuilder::new().mode(0o700).create(site.path(folder))?;
        }
        Ok(site)
    }

    /// The folder.
    pub(super) fn dir(&self) -> &Path {
        &self.dir
    }

    /// A path in it.
    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.dir.join(name)
    }

    /// PostgreSQL's folder.
    pub(super) fn postgres(&self) -> PathBuf {
        self.path("pg")
    }

    /// Log file of a process.
    pub(super) fn log(&self, name: &str) -> PathBuf {
        self.path("log").join(format!("{name}.log"))
    }

    /// The configuration file.
    pub(super) fn config(&self) -> PathBuf {
        self.path("scrutineer.toml")
    }

    /// What a process said last.
    pub(super) fn tail(&self, name: &str) -> String {
        let text = std::fs::read_to_string(self.log(name)).unwrap_or_default();
        let lines: Vec<&str> = text.lines().collect();
        lines.get(lines.len().saturating_sub(LINES_TOLD)..).unwrap_or_default().join("\n")
    }

    /// Writes the configuration file.
    pub(super) fn write_config(&self, smsc: u16, web: SocketAddr) -> anyhow::Result<()> {
        let path = |name: &str| toml::Value::from(self.path(name).display().to_string());
        let text = format!(
            "[gateway]\nspool = {spool}\nsocket = {socket}\nmetrics = \"127.0.0.1:0\"\n\n\
             [worker]\nmetrics = \"127.0.0.1:0\"\n\n\
             [web]\nlisten = \"{web}\"\nmetrics = \"127.0.0.1:0\"\nsecure_cookie = false\n\n\
             [database]\nhost = {host}\nport = {PORT}\nname = \"{DATABASE}\"\n\
             owner = {{ user = \"{OWNER}\", password = \"{owner}\" }}\n\
             worker = {{ user = \"{OWNER}-worker\", password = \"{worker_login}\" }}\n\
             web = {{ user = \"{OWNER}-web\", password = \"{web_login}\" }}\n\n\
             [[link]]\nname = \"demo\"\nhost = \"127.0.0.1\"\nport = {smsc}\nsystem_id = \"{SYSTEM_ID}\"\n\
             password = \"{link}\"\nnumbers = [\"{SHORTCODE}\"]\nreceipts = true\nreconnect_seconds_max = 5\n",
            spool = path("spool"),
            socket = path("gateway.sock"),
            host = path("pg"),
            owner = self.owner_password,
            worker_login = secret(20),
            web_login = secret(20),
            link = self.link_password,
        );
        write_private(&self.config(), &text)
    }

    /// One of the program's own commands or roles on this configuration.
    pub(super) fn program(&self, args: &[&str]) -> anyhow::Result<Command> {
        let mut command = Command::new(std::env::current_exe().context("where is this program?")?);
        command.arg("--config").arg(self.config()).args(args).env_remove("NOTIFY_SOCKET").kill_on_drop(true);
        let (name, value) = super::guard::mark();
        command.env(name, value);
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with(crate::config::ENV_PREFIX) {
                command.env_remove(name);
            }
        }
        Ok(command)
    }

    /// Runs a command of the program, with a text on its standard input.
    pub(super) async fn run(&self, args: &[&str], input: &str) -> anyhow::Result<()> {
        let mut command = self.program(args)?;
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().context("can't run this program")?;
        if let Some(mut stdin) = child.stdin.take() {
            // A command that does not read its input may be gone before it is written.
            let _ = stdin.write_all(input.as_bytes()).await;
        }
        let output = child.wait_with_output().await?;
        if !output.status.success() {
            let said = [output.stdout, output.stderr].concat();
            bail!("scrutineer {}: {}\n{}", args.join(" "), output.status, String::from_utf8_lossy(&said).trim_end());
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;

    #[test]
    fn the_demos_configuration_is_sound_and_closed_to_others() {
        let dir = tempfile::tempdir().unwrap();
        let site = Site::new(&dir.path().join("demo")).unwrap();
        site.write_config(2775, ([127, 0, 0, 1], 8470).into()).unwrap();
        let config = Config::load_with(&site.config(), Vec::new(), None).unwrap();
        assert_eq!(config.link[0].password.reveal(), site.link_password);
        assert_eq!(std::fs::metadata(site.config()).unwrap().permissions().mode() & 0o777, 0o600);
    }

    #[test]
    fn a_folder_with_something_in_it_is_left_alone() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("mine"), "x").unwrap();
        assert!(Site::new(dir.path()).is_err());
        assert!(dir.path().join("mine").exists());
    }
}
