//! A booted Debian of the test's own (`tests/lab/booted`), and the package that is installed in it, made
//! of the program that this run built.

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use crate::support::process::PROGRAM;
use crate::support::{dir, source};

/// The base image, made once a clone.
const BASE: &str = "target/lab/base.tar";
/// How long a thing within may take on a loaded machine.
pub const PATIENCE: Duration = Duration::from_secs(120);

/// A machine. Gone with this value, and with the test however it ends.
#[derive(Debug)]
pub struct Machine {
    dir: PathBuf,
}

impl Machine {
    /// Boots one with folders of the host in it (`from:to`); why not, where that cannot be had.
    pub fn boot(binds: &[String]) -> Result<Self, String> {
        for (tool, package) in [("systemd-nspawn", "systemd-container"), ("mmdebstrap", "mmdebstrap")] {
            if !has(tool) {
                return Err(format!("no {tool} (Debian's {package})"));
            }
        }
        if !rustix::process::geteuid().is_root() {
            return Err("root is needed to boot a machine".to_owned());
        }
        let base = source::root().join(BASE);
        one_at_a_time(&base, || match base.exists() {
            true => Ok(()),
            false => booted(&["base", &base.display().to_string()]).map(drop),
        })?;
        // Left to `booted down`, which ends what runs in it first.
        let dir = dir::fresh().keep();
        let machine = Self { dir: dir.clone() };
        watch(&dir);
        let (dir, base) = (dir.display().to_string(), base.display().to_string());
        let binds: Vec<String> = binds.iter().map(|bind| format!("--bind={bind}")).collect();
        let mut args = vec!["up", &dir, &base];
        args.extend(binds.iter().map(String::as_str));
        booted(&args)?;
        Ok(machine)
    }

    /// Runs a command in it.
    pub fn run(&self, command: &str) -> Output {
        self.command(command).output().unwrap()
    }

    /// A command in it, not yet run; words are those of a shell.
    pub fn command(&self, command: &str) -> Command {
        let mut run = Command::new(source::root().join("tests/lab/booted"));
        run.arg("in").arg(&self.dir).args(["sh", "-c", command]).stdin(Stdio::null());
        run
    }

    /// Runs a command that must succeed, and returns what it printed.
    ///
    /// # Panics
    /// When it fails, with what it said.
    #[track_caller]
    pub fn ok(&self, command: &str) -> String {
        let output = self.run(command);
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(
            output.status.success(),
            "{command}: {}\n{text}{}",
            output.status,
            String::from_utf8_lossy(&output.stderr)
        );
        text
    }

    /// A property of a unit.
    pub fn property(&self, unit: &str, name: &str) -> String {
        self.ok(&format!("systemctl show --value -p {name} {unit}")).trim().to_owned()
    }

    /// Waits until a command succeeds.
    #[track_caller]
    pub fn until(&self, command: &str) {
        let begun = Instant::now();
        while !self.run(command).status.success() {
            assert!(begun.elapsed() < PATIENCE, "{command}: does not come true\n{}", self.journal());
            std::thread::sleep(Duration::from_millis(200));
        }
    }

    /// What was logged last.
    pub fn journal(&self) -> String {
        String::from_utf8_lossy(&self.run("journalctl --no-pager -n 120 -o cat").stdout).into_owned()
    }

    /// The memory group that it is in, where there is one of version 1.
    pub fn group(&self) -> Option<PathBuf> {
        Some(PathBuf::from(std::fs::read_to_string(self.dir.join("group")).ok()?.trim()))
    }

    /// Writes a file.
    pub fn write(&self, path: &str, text: &str) {
        std::fs::write(self.path(path), text).unwrap();
    }

    /// Where a path of it is on the host.
    pub fn path(&self, path: &str) -> PathBuf {
        self.dir.join("root").join(path.trim_start_matches('/'))
    }

    /// Packages the program as this version, and puts the package where the machine sees it.
    pub fn package(&self, version: &str) -> Result<String, String> {
        let built = Path::new(PROGRAM).parent().unwrap();
        let profile = built.file_name().unwrap().to_string_lossy();
        let profile = if profile == "debug" { "dev" } else { &profile };
        let name = format!("/opt/scrutineer_{version}.deb");
        // Hardly compressed: what is tested is what is in it.
        let output = Command::new(source::root().join("packaging/deb"))
            .args([profile, "-q", "-Z", "xz", "--fast", "--strip", "--deb-version", version, "-o"])
            .arg(self.path(&name))
            .env("CARGO_TARGET_DIR", built.parent().unwrap())
            .stdin(Stdio::null())
            .output()
            .map_err(|e| e.to_string())?;
        let said = String::from_utf8_lossy(&output.stderr);
        match output.status.success() {
            true => Ok(name),
            false if said.contains("no such command") => Err("no cargo-deb (cargo install cargo-deb)".to_owned()),
            false => panic!("packaging/deb: {}\n{said}", output.status),
        }
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("---- the machine's journal:\n{}\n----", self.journal());
        }
        let _ = booted(&["down", &self.dir.display().to_string()]);
    }
}

fn has(tool: &str) -> bool {
    std::env::var_os("PATH").is_some_and(|path| std::env::split_paths(&path).any(|dir| dir.join(tool).exists()))
}

fn booted(args: &[&str]) -> Result<String, String> {
    // To a file: what it starts keeps its pipes open.
    let log = tempfile::NamedTempFile::new().unwrap();
    let status = Command::new(source::root().join("tests/lab/booted"))
        .args(args)
        .stdin(Stdio::null())
        .stdout(log.reopen().unwrap())
        .stderr(log.reopen().unwrap())
        .status()
        .map_err(|e| e.to_string())?;
    let said = std::fs::read_to_string(log.path()).unwrap_or_default();
    if status.success() {
        Ok(said)
    } else {
        Err(format!("a machine can't be booted here ({}): {}", args[0], said.trim()))
    }
}

/// Tests are processes of their own: one makes what all need.
fn one_at_a_time<T>(file: &Path, make: impl FnOnce() -> T) -> T {
    std::fs::create_dir_all(file.parent().unwrap()).unwrap();
    let lock = std::fs::File::create(file.with_extension("lock")).unwrap();
    lock.lock().unwrap();
    make()
}

/// Takes the machine down when this process is gone without having done so.
fn watch(dir: &Path) {
    const SCRIPT: &str = r#"tail --pid="$1" -s 0.5 -f /dev/null; [ ! -d "$2" ] || "$3" down "$2""#;
    #[expect(clippy::zombie_processes, reason = "it ends after us")]
    let _watcher = Command::new("setsid")
        .args(["sh", "-c", SCRIPT, "sh", &std::process::id().to_string()])
        .arg(dir)
        .arg(source::root().join("tests/lab/booted"))
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
}
