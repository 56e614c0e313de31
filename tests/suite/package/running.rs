//! Configured against a PostgreSQL and the simulated SMSC: messages are answered, each cap is enforced,
//! each unit comes back, an upgrade in the middle of the day loses nothing, and what was not yet stored
//! outlives a purge.

use std::process::{Child, Stdio};

use serde_json::Value;
use sqlx::Executor;

use super::UNITS;
use super::machine::Machine;
use crate::support::cluster::{Cluster, Durability, PORT};
use crate::support::pg;
use crate::support::torture::skip;

/// Texts a second while the package is upgraded.
const RATE: u32 = 40;
/// For so many seconds.
const SECONDS: u32 = 20;
/// The made-up country: small, so that each observer texts again and again.
const LOAD: &str = "--observers 200 --stations 200 --shortcode 15100";
/// Questions of its checklist. Each load answers another number of them, so that its texts are its own.
const ANSWERS: u32 = 7;

const CONFIG: &str = r#"
[database]
host = "/srv/postgresql"
port = {port}
[[link]]
name = "north"
host = "127.0.0.1"
port = 2775
system_id = "scrutineer"
password_file = "smpp-north"
numbers = ["15100"]
reconnect_seconds_max = 1
[web]
secure_cookie = false
"#;

/// A machine with the package installed and configured, and PostgreSQL beside it.
struct Installed {
    machine: Machine,
    postgres: Cluster,
}

impl Installed {
    async fn new() -> Result<Self, String> {
        let postgres = Cluster::start(Durability::Fast);
        let mut admin = pg::connect(postgres.socket_dir(), "postgres", "postgres").await;
        admin.execute("CREATE ROLE scrutineer LOGIN CREATEROLE").await.unwrap();
        admin.execute("CREATE DATABASE scrutineer OWNER scrutineer").await.unwrap();
        let machine = Machine::boot(&[format!("{}:/srv/postgresql", postgres.socket_dir().display())])?;
        let package = machine.package("0.1.0-1")?;
        machine.ok(&format!("apt-get install -y {package}"));
        let this = Self { machine, postgres };
        this.configure();
        Ok(this)
    }

    /// As an operator would, with the SMSC's password handed over by systemd alone.
    fn configure(&self) {
        self.machine.write("/etc/scrutineer/scrutineer.toml", &CONFIG.replace("{port}", &PORT.to_string()));
        self.machine.ok("echo secret | install -m 600 /dev/stdin /etc/scrutineer/credentials/smpp-north");
        let unit = "/etc/systemd/system/scrutineer-gateway.service.d";
        self.machine.ok(&format!("mkdir -p {unit}"));
        let credential = "[Service]\nLoadCredential=smpp-north:/etc/scrutineer/credentials/smpp-north\n";
        self.machine.write(&format!("{unit}/credentials.conf"), credential);
        self.machine.ok("systemctl daemon-reload");
    }

    fn set_up(&self) {
        self.machine.ok("scrutineer migrate --create-logins");
        self.machine.ok(&format!("scrutineer rehearse {LOAD} --answers {ANSWERS} --write-roster /tmp/roster"));
        for command in [
            "election create day --name Day --replies-per-hour 100000",
            "location import day /tmp/roster/locations.csv",
            "observer import day /tmp/roster/observers.csv",
            "checklist import day /tmp/roster/checklist-load.json",
            "election open day",
        ] {
            self.machine.ok(&format!("scrutineer {command}"));
        }
        self.machine.ok("systemctl enable --now scrutineer-gateway scrutineer-worker scrutineer-web");
    }

    /// An SMSC in the machine that sends texts.
    fn smsc(&self, arguments: &str) -> Child {
        let command = format!("scrutineer rehearse {LOAD} --json --listen 127.0.0.1:2775 {arguments}");
        self.machine.command(&command).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
    }

    /// Its report, when it is done.
    fn report(&self, smsc: Child) -> Value {
        let output = smsc.wait_with_output().unwrap();
        serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{output:?}\n{}", self.machine.journal()))
    }

    async fn stored(&self) -> i64 {
        let mut admin = pg::connect(self.postgres.socket_dir(), "postgres", "scrutineer").await;
        sqlx::query_scalar("SELECT count(*) FROM message WHERE outcome IN ('accepted', 'partial', 'corrected')")
            .fetch_one(&mut admin)
            .await
            .unwrap()
    }

    fn pid(&self, unit: &str) -> String {
        self.machine.property(unit, "MainPID")
    }

    /// Waits for another main process of a unit that runs.
    fn comes_back(&self, unit: &str, before: &str) {
        self.machine.until(&format!(
            "systemctl is-active -q {unit} && pid=$(systemctl show --value -p MainPID {unit}) && [ $pid != {before} ] && [ $pid != 0 ]"
        ));
    }

    /// Fills the unit's cgroup until the kernel kills what runs in it: the unit's process first, as it is
    /// marked for that, then the filler, as all that is left of a unit goes with it. Returns the most that
    /// was ever used there, bytes; `None` where systemd has no memory controller of version 1.
    fn grow(&self, unit: &str, mib: u64) -> Option<u64> {
        let group = format!("memory{}", self.machine.property(unit, "ControlGroup"));
        let outside = self.machine.group()?.join(group.trim_start_matches("memory/"));
        let limit: u64 = std::fs::read_to_string(outside.join("memory.limit_in_bytes")).ok()?.trim().parse().ok()?;
        assert_eq!(limit, mib << 20, "{unit}");
        let before = self.pid(unit);
        let mut filler = self
            .machine
            .command(&format!(
                "echo 1000 > /proc/{before}/oom_score_adj && echo $$ > /sys/fs/cgroup/{group}/cgroup.procs && exec tail /dev/zero"
            ))
            .spawn()
            .unwrap();
        let mut most = 0;
        while filler.try_wait().unwrap().is_none() {
            let used = std::fs::read_to_string(outside.join("memory.max_usage_in_bytes")).unwrap_or_default();
            most = most.max(used.trim().parse().unwrap_or(0));
            std::thread::sleep(std::time::Duration::from_millis(5));
        }
        self.comes_back(unit, &before);
        Some(most)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_installed_package_answers_keeps_its_caps_comes_back_and_is_upgraded_without_loss() {
    let site = match Installed::new().await {
        Ok(site) => site,
        Err(missing) => return skip(&missing),
    };
    let machine = &site.machine;
    site.set_up();
    for (role, _) in UNITS {
        machine.until(&format!("systemctl is-active -q scrutineer-{role}"));
    }
    let report = site.report(site.smsc("--answers 5 --messages 100"));
    assert_eq!((&report["answered"], &report["lost"]), (&Value::from(100), &Value::from(false)), "{report}");
    assert_eq!(site.stored().await, 100);
    let doctor = machine.run("scrutineer doctor").stdout;
    let doctor = String::from_utf8_lossy(&doctor);
    assert!(doctor.contains("services: scrutineer-web runs") && !doctor.contains("secrets"), "{doctor}");

    // The web can neither read the spool nor reach the gateway's socket, though it may read the configuration.
    let web = site.pid("scrutineer-web");
    for hidden in ["/run/scrutineer", "/var/lib/scrutineer-gateway"] {
        machine.ok(&format!("! nsenter -t {web} -m -- ls {hidden}/gateway.sock 2>/dev/null"));
    }

    for (role, mib) in UNITS {
        match site.grow(&format!("scrutineer-{role}"), mib) {
            Some(most) => {
                println!("scrutineer-{role}: {:.1} MiB at most, of {mib}", most as f64 / f64::from(1 << 20));
                assert!(most <= mib << 20 && most > (mib << 20) / 10 * 9, "{role}: {most}");
            }
            None => println!("skipped: the cap of {role}: systemd's memory controller is not of version 1 here"),
        }
    }

    // Each stands still; the watchdog sees that. Its time is shortened for the test alone.
    for (role, _) in UNITS {
        let folder = format!("/run/systemd/system/scrutineer-{role}.service.d");
        machine.ok(&format!(
            "mkdir -p {folder} && printf '[Service]\\nWatchdogSec=15\\nTimeoutAbortSec=2\\n' > {folder}/watchdog.conf"
        ));
    }
    machine.ok("systemctl daemon-reload && systemctl restart scrutineer-gateway scrutineer-worker scrutineer-web");
    let before: Vec<String> = UNITS.iter().map(|(role, _)| site.pid(&format!("scrutineer-{role}"))).collect();
    machine.ok(&format!("kill -STOP {}", before.join(" ")));
    for ((role, _), before) in UNITS.iter().zip(&before) {
        site.comes_back(&format!("scrutineer-{role}"), before);
    }
    let watchdogs = machine.ok("journalctl --no-pager -o cat -u 'scrutineer-*' | grep -c 'Watchdog timeout'");
    assert!(watchdogs.trim().parse::<u32>().unwrap() >= 3, "{watchdogs}\n{}", machine.journal());
    machine.ok("rm /run/systemd/system/scrutineer-*.service.d/watchdog.conf && systemctl daemon-reload");

    // The next version, while observers text.
    let next = machine.package("0.1.0-2").unwrap();
    let texts = RATE * SECONDS;
    let smsc = site.smsc(&format!("--answers 6 --messages {texts} --rate {RATE} --wait 60"));
    machine.until(
        "scrutineer doctor --json >/dev/null; journalctl -q -u scrutineer-gateway -n 200 -o cat | grep -qi bound",
    );
    machine.ok("printf '# mine\\n' >> /etc/scrutineer/scrutineer.toml");
    let before: Vec<String> = UNITS.iter().map(|(role, _)| site.pid(&format!("scrutineer-{role}"))).collect();
    machine.ok(&format!("apt-get install -y {next}"));
    for ((role, _), before) in UNITS.iter().zip(&before) {
        site.comes_back(&format!("scrutineer-{role}"), before);
    }
    machine.ok("grep -qx '# mine' /etc/scrutineer/scrutineer.toml");
    let report = site.report(smsc);
    assert_eq!((&report["unanswered"], &report["lost"]), (&Value::from(0), &Value::from(false)), "{report}");
    assert_eq!(site.stored().await, 100 + i64::from(texts), "{report}");

    // Acknowledged, and nowhere else: the worker is away when the package goes.
    machine.ok("systemctl stop scrutineer-worker");
    let report = site.report(site.smsc("--answers 7 --messages 30 --wait 1"));
    assert_eq!(report["acknowledged"], 30, "{report}");
    let said = machine.ok("apt-get purge -y scrutineer 2>&1");
    assert!(said.contains("kept /var/lib/scrutineer-gateway"), "{said}");
    machine.ok("! test -e /etc/scrutineer/scrutineer.toml && ! test -e /usr/bin/scrutineer");
    machine.ok(&format!("apt-get install -y {next}"));
    site.configure();
    machine.ok("systemctl start scrutineer-gateway scrutineer-worker");
    let wanted = 130 + i64::from(texts);
    let begun = std::time::Instant::now();
    while site.stored().await < wanted {
        assert!(
            begun.elapsed() < super::machine::PATIENCE,
            "{} of {wanted}\n{}",
            site.stored().await,
            machine.journal()
        );
        tokio::time::sleep(std::time::Duration::from_millis(200)).await;
    }
    machine.until("scrutineer spool status --json | grep -Eq '\"uncommitted\": *0([,}[:space:]]|$)'");
    // And with all of it stored a removal keeps the spool, and a purge takes it.
    let removed = machine.ok("apt-get remove -y scrutineer 2>&1 && test -d /var/lib/scrutineer-gateway");
    let purged = machine.ok("apt-get purge -y scrutineer 2>&1");
    assert!(!purged.contains("kept /var/lib/scrutineer-gateway"), "{removed}\n{purged}");
    machine.ok("! test -e /var/lib/scrutineer-gateway");
}
