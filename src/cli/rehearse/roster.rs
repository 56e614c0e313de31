//! Writes a made-up country as the files that the ordinary commands import.

use std::path::Path;

use anyhow::Context;

use crate::generator::{Day, Form, Load};

/// Locations, observers and checklists of a day; with a load, that one's checklist too.
pub(in crate::cli) fn write(dir: &Path, day: &Day, load: Option<&Load>) -> anyhow::Result<Vec<String>> {
    std::fs::create_dir_all(dir).with_context(|| format!("can't make {}", dir.display()))?;
    locations(&dir.join("locations.csv"), day).context("locations.csv")?;
    observers(&dir.join("observers.csv"), day).context("observers.csv")?;
    let mut checklists = Vec::new();
    let mut write = |name: String, content: &str| {
        std::fs::write(dir.join(&name), content).with_context(|| name.clone())?;
        checklists.push(name);
        anyhow::Ok(())
    };
    for form in Form::ALL {
        write(format!("checklist-{}.json", form.prefix().to_lowercase()), form.file())?;
    }
    if let Some(load) = load {
        write("checklist-load.json".to_owned(), &serde_json::to_string_pretty(&load.checklist())?)?;
    }
    Ok(checklists)
}

fn locations(path: &Path, day: &Day) -> anyhow::Result<()> {
    let country = &day.country;
    let mut out = csv::Writer::from_path(path)?;
    out.write_record(["code", "name", "level", "parent", "registered_voters"])?;
    for region in &country.regions {
        out.write_record([&region.code, &region.name, "region", "", ""])?;
    }
    for district in &country.districts {
        let region = country.regions.get(district.region).map_or("", |r| r.code.as_str());
        out.write_record([&district.code, &district.name, "district", region, ""])?;
    }
    for number in 0..country.stations {
        let station = country.station(number);
        let district = country.districts.get(station.district).map_or("", |d| d.code.as_str());
        out.write_record([&station.code, &station.name, "station", district, &station.registered.to_string()])?;
    }
    Ok(out.flush()?)
}

fn observers(path: &Path, day: &Day) -> anyhow::Result<()> {
    let mut out = csv::Writer::from_path(path)?;
    out.write_record(["code", "name", "phone", "language", "station"])?;
    for number in 0..day.sample.len() {
        let observer = day.sample.observer(number);
        let station = day.country.station(observer.station);
        let phone = format!("+{}", observer.phone);
        out.write_record([&observer.code, &observer.name, &phone, observer.language, &station.code])?;
    }
    Ok(out.flush()?)
}
