//! Installed and not configured: nothing runs, nothing loops, and it is said what to do. Removed and
//! purged: nothing is left.

use super::UNITS;
use super::machine::Machine;
use crate::support::torture::skip;

/// `systemd-analyze security`: exposure of a unit, from 0 to 10, times 10.
const EXPOSURE_MAX: u32 = 13;

#[test]
fn a_package_that_is_not_configured_runs_nothing_says_what_is_next_and_leaves_nothing_when_purged() {
    let machine = match Machine::boot(&[]) {
        Ok(machine) => machine,
        Err(missing) => return skip(&missing),
    };
    let package = match machine.package("0.1.0-1") {
        Ok(package) => package,
        Err(missing) => return skip(&missing),
    };
    let said = machine.ok(&format!("apt-get install -y {package} 2>&1"));
    assert!(said.contains("runs nothing yet") && said.contains("scrutineer doctor"), "{said}");
    assert_eq!(machine.ok("stat -c '%U %G %a' /etc/scrutineer/scrutineer.toml").trim(), "root scrutineer 640");
    let notice = machine.ok("zcat /usr/share/doc/scrutineer/NOTICE.gz");
    assert!(
        notice.contains("tokio 1.") && notice.contains("Permission is hereby granted"),
        "licences of what is in it"
    );
    assert_eq!(machine.ok("stat -c '%U %a' /etc/scrutineer/credentials").trim(), "root 700");
    machine.ok("scrutineer --version && scrutineer config check");
    for file in [
        "man/man1/scrutineer.1.gz",
        "man/man1/scrutineer-election-create.1.gz",
        "man/man5/scrutineer.toml.5.gz",
        "bash-completion/completions/scrutineer",
        "zsh/vendor-completions/_scrutineer",
        "fish/vendor_completions.d/scrutineer.fish",
        "scrutineer/replies/en.toml",
        "scrutineer/schemas/checklist.schema.json",
        "doc/scrutineer/copyright",
    ] {
        machine.ok(&format!("dpkg -L scrutineer | grep -qx /usr/share/{file}"));
    }
    machine.ok("scrutineer checklist check /usr/share/scrutineer/examples/opening.json");

    for (role, mib) in UNITS {
        let unit = format!("scrutineer-{role}");
        assert_eq!(machine.property(&unit, "ActiveState"), "inactive", "{unit}");
        assert_eq!(machine.property(&unit, "UnitFileState"), "disabled", "{unit}");
        assert_eq!(machine.property(&unit, "MemoryMax"), (mib << 20).to_string(), "{unit}");
        assert_eq!(machine.property(&unit, "MemorySwapMax"), "0", "{unit}");
        assert_eq!(machine.property(&unit, "Restart"), "always", "{unit}");
        assert_eq!(machine.property(&unit, "Type"), "notify", "{unit}");
        assert_ne!(machine.property(&unit, "WatchdogUSec"), "0", "{unit}");
        let analysed = machine.ok(&format!("systemd-analyze security --no-pager {unit} | tail -n 1"));
        let exposure: f64 = analysed.split_whitespace().find_map(|word| word.parse().ok()).expect("an exposure");
        println!("{unit}: exposure {exposure}");
        assert!(exposure * 10.0 <= f64::from(EXPOSURE_MAX), "{analysed}");
    }

    // A gateway without links: status 78, and no second try.
    assert!(!machine.run("systemctl start scrutineer-gateway").status.success());
    assert_eq!(machine.property("scrutineer-gateway", "ExecMainStatus"), "78");
    assert_eq!(machine.property("scrutineer-gateway", "NRestarts"), "0");
    assert_eq!(machine.property("scrutineer-gateway", "ActiveState"), "failed");
    let doctor = machine.run("scrutineer doctor");
    let doctor = String::from_utf8_lossy(&doctor.stdout);
    assert!(doctor.contains("no link is configured") && doctor.contains("next: "), "{doctor}");

    machine.ok("apt-get remove -y scrutineer");
    machine.ok("test -e /etc/scrutineer/scrutineer.toml && ! test -e /usr/bin/scrutineer");
    machine.ok("apt-get purge -y scrutineer");
    for gone in ["/etc/scrutineer", "/var/lib/scrutineer-gateway", "/run/scrutineer", "/usr/share/scrutineer"] {
        machine.ok(&format!("! test -e {gone}"));
    }
    let units = machine.run("systemctl list-unit-files --no-legend 'scrutineer*'");
    assert_eq!(String::from_utf8_lossy(&units.stdout), "");
}
