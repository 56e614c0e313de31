//! The units of systemd, where the package has installed them: do they run, and if not, why?

use std::path::Path;
use std::process::Command;

use super::finding::Finding;

/// Is there when systemd runs this machine.
const SYSTEMD: &str = "/run/systemd/system";
/// The units.
const UNITS: [&str; 3] = ["scrutineer-gateway", "scrutineer-worker", "scrutineer-web"];

pub(super) fn examine() -> Vec<Finding> {
    if !Path::new(SYSTEMD).exists() {
        return Vec::new();
    }
    let asked = Command::new("systemctl")
        .args(["show", "--property=Id,LoadState,ActiveState,UnitFileState,ExecMainStatus"])
        .args(UNITS)
        .output();
    match asked {
        Ok(output) if output.status.success() => judge(&String::from_utf8_lossy(&output.stdout)),
        _ => Vec::new(),
    }
}

/// What `systemctl show` says: a block of `Name=value` a unit.
fn judge(shown: &str) -> Vec<Finding> {
    let mut findings = Vec::new();
    let (mut idle, mut disabled) = (Vec::new(), Vec::new());
    for block in shown.split("\n\n") {
        let field = |name: &str| {
            block.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix('=')).unwrap_or_default().trim()
        };
        let unit = field("Id").trim_end_matches(".service");
        if field("LoadState") != "loaded" {
            continue;
        }
        match field("ActiveState") {
            "active" => {
                findings.push(Finding::ok("services", format!("{unit} runs")));
                if field("UnitFileState") == "disabled" {
                    disabled.push(unit.to_owned());
                }
            }
            "failed" => {
                let mend = match field("ExecMainStatus") {
                    "78" => format!("mend the configuration, then systemctl start {unit}"),
                    _ => format!("journalctl -u {unit} says why"),
                };
                let what = format!("{unit} has failed (exit status {})", field("ExecMainStatus"));
                findings.push(Finding::error("services", what, mend));
            }
            state => {
                findings.push(Finding::ok("services", format!("{unit} is {state}")));
                idle.push(unit.to_owned());
            }
        }
    }
    for (units, what) in [(idle, "not running"), (disabled, "not started at the next boot")] {
        if !units.is_empty() {
            let units = units.join(" ");
            let mend = format!("systemctl enable --now {units}");
            findings.push(Finding::warning("services", format!("{what}: {units}"), mend));
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::super::finding::Level;
    use super::*;

    #[test]
    fn units_that_do_not_run_are_named_with_what_starts_them() {
        let shown = "Id=scrutineer-gateway.service\nLoadState=loaded\nActiveState=failed\nExecMainStatus=78\n\n\
                     Id=scrutineer-worker.service\nLoadState=loaded\nActiveState=inactive\nUnitFileState=disabled\n\n\
                     Id=scrutineer-web.service\nLoadState=loaded\nActiveState=active\nUnitFileState=disabled\n";
        let findings = judge(shown);
        let levels: Vec<Level> = findings.iter().map(|f| f.level).collect();
        assert_eq!(levels, [Level::Error, Level::Ok, Level::Ok, Level::Warning, Level::Warning]);
        assert!(findings[0].mend.starts_with("mend the configuration"));
        assert_eq!(findings[3].mend, "systemctl enable --now scrutineer-worker");
        assert_eq!(findings[4].what, "not started at the next boot: scrutineer-web");
    }

    #[test]
    fn a_machine_without_the_package_has_no_services_to_speak_of() {
        assert!(judge("Id=scrutineer-web.service\nLoadState=not-found\nActiveState=inactive\n").is_empty());
    }
}
