//! Kannel's bearerbox and smsbox, as Debian has them, in a folder of their own.

use std::net::TcpListener;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use tokio::process::{Child, Command};

use super::support::dir;

/// What Kannel keeps of a message until its smsbox has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Store {
    /// Nothing.
    None,
    /// One file, written now and then.
    File,
    /// A file a message.
    Spool,
}

/// Both boxes. Dropped, they are killed.
#[derive(Debug)]
pub struct Kannel {
    bearerbox: Child,
    smsbox: Child,
    _dir: tempfile::TempDir,
}

impl Kannel {
    /// Of the installed one, if there is one.
    pub fn version() -> Option<String> {
        let output = std::process::Command::new("bearerbox").arg("--version").output().ok()?;
        let text = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
        let version = text.split_once("version `")?.1.split_once('\'')?.0;
        Some(version.to_owned())
    }

    /// Starts it, with a transceiver to an SMSC on this port; it binds when it is ready.
    pub async fn start(store: Store, smsc: u16) -> Self {
        let dir = dir::fresh();
        let (admin, boxes, sendsms) = (free_port(), free_port(), free_port());
        let path = dir.path().join("kannel.conf");
        std::fs::write(&path, configuration(store, dir.path(), smsc, [admin, boxes, sendsms])).unwrap();
        let bearerbox = spawn("bearerbox", &path);
        // An smsbox that finds no bearerbox ends.
        super::support::within(Duration::from_secs(20), "a bearerbox", async {
            while tokio::net::TcpStream::connect(("127.0.0.1", boxes)).await.is_err() {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        })
        .await;
        let smsbox = spawn("smsbox", &path);
        Self { bearerbox, smsbox, _dir: dir }
    }

    /// Of the two boxes.
    pub fn pids(&self) -> Vec<i32> {
        [&self.bearerbox, &self.smsbox].map(|child| i32::try_from(child.id().unwrap()).unwrap()).to_vec()
    }
}

fn spawn(name: &str, configuration: &Path) -> Child {
    let mut command = Command::new(name);
    command.args(["-v", "4"]).arg(configuration);
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).kill_on_drop(true).spawn().unwrap()
}

fn configuration(store: Store, dir: &Path, smsc: u16, [admin, boxes, sendsms]: [u16; 3]) -> String {
    let store = match store {
        Store::None => String::new(),
        Store::File => format!("store-type = file\nstore-location = {}\n", dir.join("store").display()),
        Store::Spool => {
            let folder = dir.join("spool");
            std::fs::create_dir(&folder).unwrap();
            format!("store-type = spool\nstore-location = {}\n", folder.display())
        }
    };
    format!(
        "group = core\nadmin-port = {admin}\nadmin-password = none\nsmsbox-port = {boxes}\nbox-allow-ip = 127.0.0.1\n{store}\n\
         group = smsc\nsmsc = smpp\nsmsc-id = load\nhost = 127.0.0.1\nport = {smsc}\ntransceiver-mode = true\n\
         smsc-username = scrutineer\nsmsc-password = secret\nsystem-type = \"\"\nreconnect-delay = 1\n\n\
         group = smsbox\nbearerbox-host = 127.0.0.1\nbearerbox-port = {boxes}\nsendsms-port = {sendsms}\n\n\
         group = sms-service\nkeyword = default\ntext = none\nmax-messages = 0\n"
    )
}

/// A port that was free a moment ago.
fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}
