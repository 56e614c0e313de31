//! Bounds of files that are imported: what is larger is refused before a database is asked.

use std::fmt::Write;
use std::path::Path;

use scrutineer::limits::{IMPORT_BYTES_MAX, LOCATIONS_MAX, OBSERVERS_MAX};

use crate::support::process::run;
use crate::support::site::Site;
use crate::support::torture;

/// What is said of a file that is not taken.
async fn refusal(site: &Site, what: &str, file: &Path) -> String {
    let output = run(&site.config(), [what, "import", "e", file.to_str().unwrap()]).await;
    assert!(!output.status.success());
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[tokio::test]
async fn a_file_larger_than_can_be_imported_is_refused_with_what_to_do() {
    let site = Site::without_database();
    let path = site.path().join("large.csv");
    std::fs::File::create(&path).unwrap().set_len(IMPORT_BYTES_MAX + 1).unwrap();
    let said = refusal(&site, "observer", &path).await;
    assert!(said.contains(&format!("is larger than {} MiB; import it in parts", IMPORT_BYTES_MAX >> 20)), "{said}");
}

#[tokio::test]
async fn more_observers_or_locations_than_there_may_be_are_refused() {
    if !torture::is_long() {
        return torture::skip("it takes half a minute: in the long form");
    }
    let site = Site::without_database();
    let mut observers = "code\n".to_owned();
    (0..=OBSERVERS_MAX).for_each(|n| writeln!(observers, "{}", 100_000 + n).unwrap());
    let said = refusal(&site, "observer", &site.file("observers.csv", observers)).await;
    assert!(said.contains(&format!("at most {OBSERVERS_MAX}")), "{said}");
    let mut locations = "code,name,level\n".to_owned();
    (0..=LOCATIONS_MAX).for_each(|n| writeln!(locations, "S{n},Station,station").unwrap());
    let said = refusal(&site, "location", &site.file("locations.csv", locations)).await;
    assert!(said.contains(&format!("at most {LOCATIONS_MAX}")), "{said}");
}
